"""What a training may claim, in one word and one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from analyzer.models.scores import Difference


class Verdict(StrEnum):
    """End of a training."""

    TRAINED = "trained"
    """The model beats every baseline: the interval of each difference is above 0."""
    NOT_BETTER = "not_better"
    """A model was trained, but that it beats the baselines cannot be said."""
    TOO_LITTLE_DATA = "too_little_data"
    FAILED = "failed"
    """The analysis itself could not be made."""


def verdict_of(differences: Mapping[str, Difference]) -> Verdict:
    """Whether the model is better than every baseline."""
    return Verdict.TRAINED if all(found.low > 0 for found in differences.values()) else Verdict.NOT_BETTER


def too_little(missing: Sequence[str]) -> str:
    """The sentence for too little data."""
    return f"Too little data to learn from, so there is no model: {'; '.join(missing)}."


def trained(
    target: str, templates: int, f1: float, interval: tuple[float, float], best: str, best_f1: float, gain: Difference
) -> str:
    """The sentence for a trained model."""
    figures = (
        f"The class of {target} was predicted with macro-F1 {f1:.2f} (95 % {interval[0]:.2f} to {interval[1]:.2f}) "
        f"for {templates} templates, each held out in turn; the best baseline ({best.replace('_', ' ')}) reaches "
        f"{best_f1:.2f}; difference {gain.value:+.2f} (95 % {gain.low:+.2f} to {gain.high:+.2f})"
    )
    if gain.low > 0:
        return f"{figures}: the model is better."
    return f"{figures}: this does not show that the model is better."
