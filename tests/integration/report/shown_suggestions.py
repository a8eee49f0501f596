"""What an ``optimize`` analysis leaves of a task: a suggestion with each verdict, its figures from made-up pairs."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

from snipbench.statistics import RatioResult, paired_ratio
from snipbench.store.port import Document
from snipbench.store.sqlite import SqliteStore

AT = "2026-01-31T09:20:00.000000Z"
NATIVE = "select quantity + 1 from (select cast(l_quantity as double) as quantity from lineitem)"
PANDAS = "import pandas as pd\n\n\ndef run(quantity: pd.Series) -> pd.Series:\n    return quantity + 1.0\n"
WORDS = ("A row at a time crosses to Python and back: <let the engine add>.", "Cast once, in the input.")


@dataclass(frozen=True)
class Made:
    """A suggestion on a snippet of ``exchange``; ``ratios`` are those of the sessions in which it was timed."""

    snippet: str
    verdict: str | None
    evidence: str
    code: str | None = None
    kind: str | None = None
    estimated: float | None = None
    ratios: tuple[float, ...] = ()


MADE = (
    Made("row", "verified", "The same result on clone, second, mutated.", NATIVE, "sql", 0.7, (0.31, 0.32)),
    Made("pandas", "equal_not_faster", "pairs: is not at least 5 % faster.", PANDAS, "pandas_udf", 0.3, (1.08,)),
    Made("arrow", "wrong_result", "equality: only in the original: (v=<null>).", PANDAS, "pandas_udf"),
    Made("arrow-row", "inconclusive", "Not confirmed: cannot be told apart.", NATIVE, "sql", 0.5, (0.8, 0.98)),
    Made("native", None, "Advice in words only; there is no code to prove."),
)


def write_suggestions(store: SqliteStore, task_id: str) -> None:
    """A verified rewrite, one that gains nothing, a wrong one, an open one, and advice in words only."""
    for number, made in enumerate(MADE, start=1):
        mine = {"task_id": task_id, "analysis": "improve", "suggestion_id": f"suggestion-{number}"}
        timed = [_pairs(ratio) for ratio in made.ratios]
        store.insert("suggestions", [_suggestion(mine, number, made, paired_ratio(timed[0]) if timed else None)])
        steps = [("screening", None, []), ("equality", "mutated", [])] if made.code else []
        steps += [(name, "clone", pairs) for name, pairs in zip(("pairs", "confirmation"), timed, strict=False)]
        store.insert("verifications", [_step(mine, place, *step) for place, step in enumerate(steps, start=1)])
    sentence = "5 suggestions on the 5 worst snippets by wall_seconds: 1 verified (exchange/row 3.2× faster)"
    store.insert(
        "optimizations",
        [
            {
                "_id": f"{task_id}:improve",
                "task_id": task_id,
                "analysis": "improve",
                "kind": "optimize",
                "verdict": "improved",
                "sentence": f"{sentence}. No endpoint is set, so the advisor is rules instead of llm.",
                "unanswered": ["queries/pricing-sql: no code: the advisor gave none"],
            }
        ],
    )


def _suggestion(mine: Document, number: int, made: Made, ratio: RatioResult | None) -> Document:
    return mine | {
        "_id": mine["suggestion_id"],
        "number": number,
        "experiment": "exchange",
        "snippet": made.snippet,
        "cost": 4.0 / number,
        "share": 0.4 / number,
        "advisor": "llm",
        "model": "a-model",
        "potential": "high" if made.estimated else "med",
        "suggestions": json.dumps(WORDS),
        "notes": json.dumps(["the answer was plain text, since the endpoint refused a schema"]),
        "code": made.code,
        "kind": made.kind,
        "entry": "run",
        "returns": None,
        "estimated_reduction": made.estimated,
        "tokens": 900,
        "verdict": made.verdict,
        "evidence": made.evidence,
        "sandbox": "bwrap" if made.code else None,
        "created_at": AT,
        **_ratio(ratio),
    }


def _step(mine: Document, number: int, name: str, copy: str | None, pairs: list[tuple[float, float]]) -> Document:
    ratio = paired_ratio(pairs) if pairs else None
    return mine | {
        "_id": f"{mine['suggestion_id']}:{number:02d}",
        "step": number,
        "name": name,
        "status": "passed",
        "data_copy": copy,
        "pairs": None if ratio is None else ratio.pairs,
        "pair_seconds": json.dumps(pairs),
        "detail": "what was seen",
        "started_at": AT,
        "ended_at": AT,
        **_ratio(ratio),
    }


def _ratio(ratio: RatioResult | None) -> Document:
    return {f"ratio_{bound}": None if ratio is None else getattr(ratio, bound) for bound in ("median", "low", "high")}


def _pairs(ratio: float) -> list[tuple[float, float]]:
    """``(candidate, original)`` in seconds."""
    noise = random.Random(ratio)
    originals = [0.4 * noise.lognormvariate(0, 0.08) for _ in range(24)]
    return [(ratio * one * noise.lognormvariate(0, 0.06), one) for one in originals]
