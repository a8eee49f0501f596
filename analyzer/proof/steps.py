"""What a proof consists of and what each part of it showed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from snipbench.statistics import RatioResult


class Verdict(StrEnum):
    """What a verification showed."""

    VERIFIED = "verified"
    EQUAL_NOT_FASTER = "equal_not_faster"
    WRONG_RESULT = "wrong_result"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class StepName(StrEnum):
    """The steps, in the order in which they are made."""

    SCREENING = "screening"
    EQUALITY = "equality"
    PAIRS = "pairs"
    CONFIRMATION = "confirmation"


class StepStatus(StrEnum):
    """How a step ended. ``skipped``: it could not be made and nothing depends on it."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Step:
    """One step with what it showed. ``verdict`` is what a step that did not pass means for the whole.

    ``pairs`` are ``(candidate, original)`` in seconds. ``started_at`` and ``ended_at`` are UTC texts.
    """

    name: StepName
    status: StepStatus
    detail: str
    data_copy: str | None = None
    ratio: RatioResult | None = None
    pairs: tuple[tuple[float, float], ...] = ()
    verdict: Verdict | None = None
    empty: bool = False
    """Whether what was equal had no row, which shows little."""
    started_at: str | None = None
    ended_at: str | None = None

    @property
    def passed(self) -> bool:
        """Whether the proof may go on."""
        return self.status in {StepStatus.PASSED, StepStatus.SKIPPED}


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict with its reasons in plain words and the ratio candidate ÷ original that it rests on."""

    verdict: Verdict
    evidence: str
    ratio: RatioResult | None = None
