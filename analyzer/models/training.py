"""Training on enough data: nested evaluation, baselines beside it, the final model; their part of the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from analyzer.models import artifact, verdicts
from analyzer.models.baselines import BASELINES, out_of_fold
from analyzer.models.evaluation import Effort, Evaluation, evaluate
from analyzer.models.examples import Examples
from analyzer.models.grouping import make_folds
from analyzer.models.importance import FAMILIES
from analyzer.models.pipelines import fitted, frame_of
from analyzer.models.scores import difference, f1_interval, scores
from analyzer.models.search import Found, search
from analyzer.models.training_table import TrainingTable

IMPORTANCES = 15
"""How many features the report names."""
FINAL_SHARE = 0.15
"""Share of the time that is kept for the search of the final model."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What training gave: held-out classes of all rows, and its part of the report."""

    model_id: str
    predicted: tuple[str, ...]
    probabilities: tuple[float, ...]
    report: dict[str, Any]


def train(
    table: TrainingTable,
    classes: Sequence[str],
    *,
    folder: Path,
    model_id: str,
    folds: int,
    trials: int,
    seconds: float,
    seed: int,
    monotonic: Callable[[], float],
    say: Callable[[str], None],
) -> Trained:
    """Evaluate by nested folds, compare with the baselines, then search and train once on all rows and save that."""
    began = monotonic()
    examples = Examples(
        frame_of([row.features for row in table.rows]),
        tuple(classes),
        tuple(row.target for row in table.rows),
        tuple(row.group for row in table.rows),
    )
    groups = examples.groups
    outer = make_folds(classes, groups, folds, seed)
    nested = evaluate(examples, outer, Effort(trials, seconds * (1 - FINAL_SHARE), seed, monotonic, say))
    say(f"searching {trials} pipelines for the model of all rows")
    final = search(examples, trials=trials, seconds=seconds * FINAL_SHARE, seed=seed, monotonic=monotonic)
    saved = artifact.save(fitted(final.choice, examples, seed), folder, model_id)
    say("judging it beside the baselines")
    judged = scores(classes, nested.predicted)
    interval = f1_interval(classes, nested.predicted, groups, seed)
    rivals = {baseline.name: out_of_fold(baseline, table.rows, classes, outer, seed) for baseline in BASELINES}
    gains = {name: difference(classes, nested.predicted, given, groups, seed) for name, given in rivals.items()}
    figures = {name: scores(classes, given) for name, given in rivals.items()}
    best = max(BASELINES, key=lambda baseline: figures[baseline.name].macro_f1)
    best_f1 = figures[best.name].macro_f1
    verdict = verdicts.verdict_of(gains)
    report: dict[str, Any] = {
        "verdict": verdict.value,
        "sentence": verdicts.trained(
            table.target.value, len(set(groups)), judged.macro_f1, interval, best.name, best_f1, gains[best.name]
        ),
        "macro_f1": {"value": judged.macro_f1, "low": interval[0], "high": interval[1]},
        "scores": judged.to_document(),
        "baselines": [
            {
                "name": baseline.name,
                "description": baseline.description,
                "scores": figures[baseline.name].to_document(),
                "difference": asdict(gains[baseline.name]),
            }
            for baseline in BASELINES
        ],
        "best_baseline": {
            "name": best.name,
            "description": best.description,
            "macro_f1": best_f1,
            "difference": asdict(gains[best.name]),
        },
        "folds": len(outer),
        "search": _about_searches(nested, final, trials, monotonic() - began),
        "family_importances": [asdict(found) for found in nested.importances if found.name in FAMILIES],
        "importances": [asdict(found) for found in nested.importances if found.name not in FAMILIES and found.mean > 0][
            :IMPORTANCES
        ],
        "features": len(examples.features.columns),
        "model": {"id": model_id, "path": saved.path, "sha256": saved.sha256, "choice": final.choice},
    }
    return Trained(model_id, nested.predicted, nested.probabilities, report)


def _about_searches(nested: Evaluation, final: Found, asked: int, seconds: float) -> dict[str, Any]:
    everything = (*nested.searches, final)
    return {
        "trials_asked": asked,
        "searches": len(everything),
        "trials": sum(found.trials for found in everything),
        "trials_failed": sum(found.failed for found in everything),
        "cut_by_time": sum(found.cut for found in everything),
        "seconds": seconds,
        "inner_macro_f1": final.score,
        "estimators_of_folds": [
            {"estimator": name, "folds": count}
            for name, count in Counter(found.choice["estimator"] for found in nested.searches).most_common()
        ],
    }
