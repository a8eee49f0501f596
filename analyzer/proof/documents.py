"""What an optimisation left behind, as documents of the store.

=================  ===================  ====================================================================
collection         ``_id``              what
=================  ===================  ====================================================================
optimizations      ``task:analysis``    the analysis: which snippets, how it ended, what it cost
suggestions        suggestion's id      a row of the lake's table, with what is needed to apply it
verifications      ``suggestion:NN``    a row of the lake's table, with the pairs' seconds
=================  ===================  ====================================================================

What was said to an endpoint is in ``advisor_exchanges`` (:mod:`analyzer.advisors.exchanges`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analyzer.advisors import exchanges
from analyzer.advisors.port import Advice, Potential, Usage
from analyzer.advisors.ranking import Ranked
from analyzer.proof.steps import Judgement, Step
from snipbench.domain.order import Kind
from snipbench.errors import StoreError
from snipbench.identity import canonical_json
from snipbench.statistics import RatioResult
from snipbench.store.port import Document, DocumentStore

OPTIMIZATIONS = "optimizations"
SUGGESTIONS = "suggestions"
VERIFICATIONS = "verifications"

WORDS_ONLY = "Advice in words only; there is no code to prove."
NO_WORDS = "The advisor has nothing to suggest."


@dataclass(frozen=True, slots=True)
class SuggestionPlace:
    """Where a suggestion belongs: the ``number``-th costliest snippet of an analysis of a task."""

    task_id: str
    analysis: str
    suggestion_id: str
    number: int
    ranked: Ranked

    @property
    def name(self) -> str:
        """``experiment/snippet``."""
        return f"{self.ranked.experiment}/{self.ranked.snippet}"


def suggestion_document(place: SuggestionPlace, advice: Advice, created_at: str) -> Document:
    """A suggestion as the advisor gave it, not proved yet."""
    return {
        "_id": place.suggestion_id,
        "task_id": place.task_id,
        "analysis": place.analysis,
        "suggestion_id": place.suggestion_id,
        "number": place.number,
        "experiment": place.ranked.experiment,
        "snippet": place.ranked.snippet,
        "cost": place.ranked.cost,
        "share": place.ranked.share,
        "advisor": advice.advisor,
        "model": advice.model,
        "potential": advice.potential.value,
        "suggestions": canonical_json(list(advice.suggestions)),
        "notes": canonical_json(list(advice.notes)),
        "code": advice.code,
        "kind": None if advice.kind is None else advice.kind.value,
        "entry": advice.entry,
        "returns": advice.returns,
        "estimated_reduction": advice.estimated_reduction,
        "tokens": advice.usage.tokens,
        "verdict": None,
        **_ratio(None),
        "evidence": None if advice.code is not None else WORDS_ONLY if advice.suggestions else NO_WORDS,
        "sandbox": None,
        "created_at": created_at,
    }


def advised(document: Document) -> Advice:
    """The advice that a suggestion was made of."""
    return Advice(
        potential=Potential(document["potential"]),
        suggestions=tuple(json.loads(document["suggestions"])),
        advisor=document["advisor"],
        code=document["code"],
        kind=None if document["kind"] is None else Kind(document["kind"]),
        entry=document["entry"],
        returns=document["returns"],
        estimated_reduction=document["estimated_reduction"],
        model=document["model"],
        usage=Usage(document["tokens"]),
        notes=tuple(json.loads(document["notes"])),
    )


def place_of(document: Document) -> SuggestionPlace:
    """Where a kept suggestion belongs."""
    ranked = Ranked(document["experiment"], document["snippet"], document["cost"], document["share"])
    return SuggestionPlace(
        document["task_id"], document["analysis"], document["suggestion_id"], document["number"], ranked
    )


def judged(document: Document, judgement: Judgement, sandbox: str | None) -> Document:
    """The suggestion with its verdict."""
    found = {"verdict": judgement.verdict.value, "evidence": judgement.evidence, "sandbox": sandbox}
    return document | found | _ratio(judgement.ratio)


def verification_documents(document: Document, steps: Sequence[Step]) -> list[Document]:
    """The steps of a suggestion's proof, numbered from 1."""
    return [
        {
            "_id": f"{document['suggestion_id']}:{number:02d}",
            "task_id": document["task_id"],
            "analysis": document["analysis"],
            "suggestion_id": document["suggestion_id"],
            "step": number,
            "name": step.name.value,
            "status": step.status.value,
            "data_copy": step.data_copy,
            **_ratio(step.ratio),
            "pairs": None if step.ratio is None else step.ratio.pairs,
            "pair_seconds": json.dumps([list(pair) for pair in step.pairs]),
            "detail": step.detail,
            "started_at": step.started_at,
            "ended_at": step.ended_at,
        }
        for number, step in enumerate(steps, start=1)
    ]


def keep_suggestion(store: DocumentStore, document: Document, steps: Sequence[Step] = ()) -> None:
    """Write a suggestion and the steps of its proof, in the place of what was there.

    The suggestion comes last: until then it is not proved, and :func:`resumed` removes the steps.

    Raises:
        StoreError: the store is away, or somebody else wrote the suggestion meanwhile.
    """
    found = store.get(SUGGESTIONS, document["_id"])
    store.delete(VERIFICATIONS, {"suggestion_id": document["suggestion_id"]})
    store.insert(VERIFICATIONS, verification_documents(document, steps))
    if not store.replace(SUGGESTIONS, document, expected_version=None if found is None else found["version"]):
        raise StoreError(f"suggestion {document['suggestion_id']} was written by somebody else meanwhile")


def resumed(store: DocumentStore, task_id: str, analysis: str) -> list[Document]:
    """The suggestions of an analysis that is gone on with; steps of proofs that were not ended are removed.

    ``evidence`` is null in those that are to be proved.
    """
    kept = suggestions_of(store, task_id, analysis)
    proved = {made["suggestion_id"] for made in kept if made["evidence"] is not None}
    steps = store.find(VERIFICATIONS, {"task_id": task_id, "analysis": analysis})
    for suggestion_id in {step["suggestion_id"] for step in steps} - proved:
        store.delete(VERIFICATIONS, {"suggestion_id": suggestion_id})
    return kept


def suggestions_of(store: DocumentStore, task_id: str, analysis: str | None = None) -> list[Document]:
    """A task's suggestions, or those of one of its analyses: by analysis, costliest snippet first."""
    where = {"task_id": task_id} | ({} if analysis is None else {"analysis": analysis})
    return list(store.find(SUGGESTIONS, where, order_by=("analysis", "number", "_id")))


def forget(store: DocumentStore, task_id: str, analysis: str) -> None:
    """Remove what an analysis left, so that it is made anew. What was said to an endpoint stays on record."""
    exchanges.release(store, task_id, analysis)
    for collection in (VERIFICATIONS, SUGGESTIONS, OPTIMIZATIONS):
        store.delete(collection, {"task_id": task_id, "analysis": analysis})


def told(document: Document) -> dict[str, Any]:
    """What ``suggest --json`` prints of a suggestion (design, section 8)."""
    return {
        "suggestion_id": document["suggestion_id"],
        "snippet": f"{document['experiment']}/{document['snippet']}",
        "potential": document["potential"],
        "suggestions": json.loads(document["suggestions"]),
        "code": document["code"],
        "estimated_reduction": document["estimated_reduction"],
        "verdict": document["verdict"],
        "ratio": {bound: document[f"ratio_{bound}"] for bound in ("median", "low", "high")},
        "evidence": document["evidence"],
        "advisor": document["advisor"],
        "model": document["model"],
    }


def _ratio(ratio: RatioResult | None) -> dict[str, float | None]:
    if ratio is None:
        return {"ratio_median": None, "ratio_low": None, "ratio_high": None}
    return {"ratio_median": ratio.median, "ratio_low": ratio.low, "ratio_high": ratio.high}
