"""Evidence in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.proof.steps import Step, StepStatus
from snipbench.domain.run import Failure
from snipbench.statistics import RatioResult

LONGEST_MESSAGE = 300
"""Characters of an error that evidence repeats."""


def failure(found: Failure) -> str:
    """A failure's kind and the beginning of its message, on one line."""
    message = " ".join(found.message.split())
    cut = message if len(message) <= LONGEST_MESSAGE else f"{message[:LONGEST_MESSAGE]}…"
    return f"{found.kind}: {cut}" if cut else found.kind


def ratio(found: RatioResult) -> str:
    """``0.62 of the original's time (95 % 0.60–0.65, 20 pairs)``."""
    if found.median is None:
        return "no pairs"
    counted = f"{found.pairs} pairs"
    if found.low is None or found.high is None:
        return f"{found.median:.2f} of the original's time ({counted})"
    return f"{found.median:.2f} of the original's time (95 % {found.low:.2f}–{found.high:.2f}, {counted})"


def pairs(found: RatioResult, status: StepStatus, lost: str | None) -> str:
    """What a set of pairs says."""
    words = {
        StepStatus.PASSED: "takes",
        StepStatus.FAILED: "is not at least 5 % faster: it takes",
        StepStatus.INCONCLUSIVE: "cannot be told apart for sure: it takes",
        StepStatus.SKIPPED: "was not timed:",
    }
    return f"{words[status]} {ratio(found)}{f'; {lost}' if lost else ''}"


def sentence(step: Step) -> str:
    """A step as a sentence about the candidate."""
    return f"{step.name.value}: {step.detail}."


def proved(steps: Sequence[Step], timed: Step, confirmation: Step) -> str:
    """Why a candidate counts as verified; every place where nothing could be compared is named."""
    passed = [step for step in steps if step.name == "equality" and step.status == "passed"]
    equal = dict.fromkeys(step.data_copy for step in passed if not step.empty)
    bare = dict.fromkeys(str(step.data_copy) for step in passed if step.data_copy not in equal)
    skipped = dict.fromkeys(step.data_copy for step in steps if step.status == "skipped" and step.data_copy)
    left = [copy for copy in skipped if copy not in equal and copy not in bare]
    text = (
        f"The same result on {', '.join(str(copy) for copy in equal)}; {timed.detail}; "
        f"confirmed in a fresh session: {confirmation.detail}."
    )
    if bare:
        text = f"{text} No row of either on {', '.join(bare)}."
    return f"{text} Not compared on {', '.join(left)}, where the original itself fails." if left else text
