"""An ``optimize`` analysis: the worst snippets go to the advisor, and what comes back is proved."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from analyzer.advisors.briefing import brief_for
from analyzer.advisors.budget import DEFAULT_TOKENS, TokenBudget
from analyzer.advisors.choosing import ChosenAdvisor, choose_advisor
from analyzer.advisors.exchanges import spent_tokens
from analyzer.advisors.port import Advice, as_variant
from analyzer.advisors.ranking import Ranked, worst
from analyzer.advisors.shapes import table_shapes
from analyzer.material import TaskMaterial, load_material
from analyzer.proof import documents
from analyzer.proof.steps import Verdict
from analyzer.summaries import summarise
from analyzer.words import factor, several
from orchestrator.leading.ending import ENDINGS, Ends, Unending
from orchestrator.leading.parts import Parts
from orchestrator.proving.explaining import plans_of
from orchestrator.proving.verifying import opened_verifier
from snipbench.clock import to_text
from snipbench.domain.analysis import Optimize
from snipbench.domain.order import Kind, Order, Snippet
from snipbench.domain.plan import Parameters
from snipbench.errors import AdviceFailed, SnipbenchError, StoreError
from snipbench.identity import new_id
from snipbench.store.port import Document

IMPROVED = "improved"
NOTHING_VERIFIED = "nothing_verified"
NO_ADVICE = "no_advice"
FAILED = "failed"

SILENT = frozenset({"timeout", "unavailable"})
"""Reasons for no advice that speak of the endpoint rather than of the snippet."""
MOST_SILENT = 2
"""After so many snippets in a row without an answer the endpoint is left alone: each costs its whole time-out."""


def run_optimize(
    parts: Parts,
    task_id: str,
    analysis: Optimize,
    environment: Mapping[str, str] | None = None,
    ends: Ends | None = None,
) -> Document:
    """Make an optimisation of a task and keep what came of it; one that was made is not made again.

    Once ``ends`` tells that the task must end, what is under way ends too; again it goes on from there.

    Returns:
        The document of the collection ``optimizations``. Its ``verdict`` is ``improved``, ``nothing_verified``,
        ``no_advice``, or ``failed`` with the reason in ``sentence``.

    Raises:
        StoreError: the store is away.
        UsageError: the advisor's settings are wrong (:func:`check_advisors` says so before anything is measured).
        LeaseLost, LeaderStopped, TaskCancelled: the task must end.
    """
    found = parts.store.get(documents.OPTIMIZATIONS, f"{task_id}:{analysis.name}")
    if found is not None:
        return found
    material = load_material(parts.store, task_id)
    report = Improver(parts, material, analysis, environment or os.environ, ends or Unending()).run()
    parts.store.insert(documents.OPTIMIZATIONS, [report])
    return report


def check_advisors(order: Order, environment: Mapping[str, str]) -> None:
    """Refuse an order whose advisors cannot be had, before anything is made.

    Raises:
        UsageError: an advisor's settings are wrong.
    """
    for analysis in order.analyses:
        if isinstance(analysis, Optimize):
            choose_advisor(analysis.advisor, environment)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A snippet with the advice on it."""

    place: documents.SuggestionPlace
    document: Document
    candidate: Snippet | None


class Improver:
    """One analysis of one task."""

    def __init__(
        self, parts: Parts, material: TaskMaterial, analysis: Optimize, environment: Mapping[str, str], ends: Ends
    ) -> None:
        self._parts = parts
        self._ends = ends
        self._material = material
        self._order = material.order
        self._summaries = summarise(material.order, material.runs, material.results)
        self._analysis = analysis
        self._task_id = material.task.task_id
        self._chosen: ChosenAdvisor = choose_advisor(
            analysis.advisor, environment, store=parts.store, analysis=analysis.name, clock=parts.clock
        )
        self._kept = documents.resumed(parts.store, self._task_id, analysis.name)
        limit = DEFAULT_TOKENS if analysis.budget is None else analysis.budget.tokens
        self._budget = TokenBudget(limit, spent=self._spent())
        self._unanswered: list[str] = []

    def run(self) -> Document:
        """Rank, ask, prove; a failure of the platform is part of the report."""
        began = self._parts.clock.monotonic()
        started_at = self._now()
        ranked: Sequence[Ranked] = ()
        failure: str | None = None
        try:
            ranked = self._worst()
            self._prove_all([*self._unproved(), *self._ask(ranked)])
        except (StoreError, *ENDINGS):
            raise
        except SnipbenchError as error:
            failure = f"{type(error).__name__}: {error}"
        made = documents.suggestions_of(self._parts.store, self._task_id, self._analysis.name)
        verdict, sentence = self._conclusion(ranked, made, failure)
        return {
            "_id": f"{self._task_id}:{self._analysis.name}",
            "task_id": self._task_id,
            "analysis": self._analysis.name,
            "kind": self._analysis.kind,
            "verdict": verdict,
            "sentence": sentence,
            "by": self._analysis.by.value,
            "advisor": self._chosen.advisor.name,
            "asked": self._chosen.asked,
            "fallback": self._chosen.fallback,
            "snippets": [f"{one.experiment}/{one.snippet}" for one in ranked],
            "unanswered": self._unanswered,
            "tokens": self._budget.spent,
            "token_limit": self._budget.limit,
            "seconds": self._parts.clock.monotonic() - began,
            "started_at": started_at,
            "ended_at": self._now(),
        }

    def _spent(self) -> int:
        """Tokens that the analysis cost before it was interrupted; a script's answers have no exchanges."""
        exchanged = spent_tokens(self._parts.store, self._task_id, self._analysis.name)
        return max(exchanged, sum(int(made["tokens"]) for made in self._kept))

    def _worst(self) -> tuple[Ranked, ...]:
        return worst(
            self._order,
            self._material.runs,
            self._material.results,
            by=self._analysis.by,
            count=self._analysis.worst,
            experiments=self._analysis.experiments,
        )

    def _unproved(self) -> list[_Asked]:
        """Advice that was paid for before an interruption and is still to be proved."""
        found = []
        for made in self._kept:
            if made["evidence"] is None:
                place = documents.place_of(made)
                original = self._order.experiment(place.ranked.experiment).snippet(place.ranked.snippet)
                found.append(_Asked(place, made, _candidate(documents.advised(made), original)))
        return found

    def _ask(self, ranked: Sequence[Ranked]) -> list[_Asked]:
        """Advice on each snippet, stored at once; one that has advice from before an interruption is left out."""
        advised = {(made["experiment"], made["snippet"]) for made in self._kept}
        left = [
            (number, one) for number, one in enumerate(ranked, start=1) if (one.experiment, one.snippet) not in advised
        ]
        plans = self._plans([one for _, one in left])
        asked = []
        silent = 0
        for number, one in left:
            name = f"{one.experiment}/{one.snippet}"
            if silent >= MOST_SILENT:
                self._unanswered.append(f"{name}: not asked, since there was no answer {silent} times in a row")
                continue
            self._ends.raise_if_ended()
            experiment = self._order.experiment(one.experiment)
            brief = brief_for(
                self._material,
                one.experiment,
                one.snippet,
                plan=plans.get(name),
                tables=table_shapes(self._parts.store, self._task_id, experiment),
            )
            try:
                advice = self._chosen.advisor.advise(brief, self._budget)
            except AdviceFailed as error:
                silent = silent + 1 if error.reason in SILENT else 0
                self._unanswered.append(f"{name}: {error.reason}: {error}")
                self._parts.progress.note(f"no advice on {name}: {error}")
                continue
            silent = 0
            asked.append(self._keep(number, one, advice, experiment.snippet(one.snippet)))
        return asked

    def _keep(self, number: int, ranked: Ranked, advice: Advice, original: Snippet) -> _Asked:
        candidate = _candidate(advice, original)
        now = self._parts.clock.now()
        place = documents.SuggestionPlace(self._task_id, self._analysis.name, new_id("suggestion", now), number, ranked)
        document = documents.suggestion_document(place, advice, to_text(now))
        documents.keep_suggestion(self._parts.store, document)
        return _Asked(place, document, candidate)

    def _plans(self, ranked: Sequence[Ranked]) -> dict[str, str]:
        """Spark's plans, for an advisor that reads them; the rules do not. A ``function`` has none."""
        if self._chosen.advisor.name != "llm" or not ranked:
            return {}
        points = {
            (one.experiment, one.snippet): self._points(one)[0]
            for one in ranked
            if self._order.experiment(one.experiment).snippet(one.snippet).kind is not Kind.FUNCTION
        }
        if not points:
            return {}
        with self._machine("plans"):
            return plans_of(self._parts, self._material.record, self._task_id, points, self._ends)

    def _prove_all(self, asked: Sequence[_Asked]) -> None:
        with_code = [(one, one.candidate) for one in asked if one.candidate is not None]
        if not with_code:
            return
        with (
            self._machine("proofs"),
            opened_verifier(self._parts, self._material.record, self._task_id, self._ends) as verifier,
        ):
            for one, candidate in with_code:
                self._ends.raise_if_ended()
                place = one.place
                self._parts.progress.note(f"proving {place.suggestion_id}, a form of {place.name}")
                proved = verifier.prove(
                    place.suggestion_id,
                    place.ranked.experiment,
                    place.ranked.snippet,
                    candidate,
                    points=self._points(place.ranked),
                    advisor=one.document["advisor"],
                )
                document = documents.judged(one.document, proved.judgement, proved.sandbox)
                documents.keep_suggestion(self._parts.store, document, proved.steps)
                self._parts.progress.note(f"{proved.judgement.verdict.value}: {proved.judgement.evidence}")

    def _points(self, ranked: Ranked) -> tuple[Parameters, ...]:
        """The snippet's parameter points, that of the longest runs first."""
        found = [
            (summary.figures["wall_seconds"].median or 0.0, summary.place.parameters)
            for summary in self._summaries
            if (summary.place.experiment, summary.place.snippet) == (ranked.experiment, ranked.snippet)
        ]
        return tuple(point for _, point in sorted(found, key=lambda one: -one[0]))

    def _conclusion(self, ranked: Sequence[Ranked], made: Sequence[Document], failure: str | None) -> tuple[str, str]:
        """The analysis's verdict and what it says in a sentence."""
        fallback = f" {self._chosen.fallback[0].upper()}{self._chosen.fallback[1:]}." if self._chosen.fallback else ""
        if failure is not None:
            return FAILED, f"The optimisation could not be made: {failure}{fallback}"
        verdicts = Counter(one["verdict"] for one in made if one["verdict"] is not None)
        if not made:
            why = self._unanswered[0] if self._unanswered else "no snippet has a usable run"
            return NO_ADVICE, f"No advice on {len(ranked)} snippets: {why}.{fallback}"
        gains = ", ".join(
            f"{one['experiment']}/{one['snippet']} {factor(one['ratio_median'])}"
            for one in made
            if one["verdict"] == Verdict.VERIFIED and one["ratio_median"] is not None
        )
        counted = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())) or "none with code"
        worst = several(len(ranked), "worst snippet")
        text = f"{several(len(made), 'suggestion')} on the {worst} by {self._analysis.by.value}: {counted}"
        missing = f" No advice on {len(self._unanswered)}: {self._unanswered[0]}." if self._unanswered else ""
        verdict = IMPROVED if verdicts[Verdict.VERIFIED] else NOTHING_VERIFIED
        return verdict, f"{text}{f' ({gains})' if gains else ''}.{missing}{fallback}"

    def _machine(self, what: str) -> AbstractContextManager[None]:
        """Nobody else measures meanwhile. While an endpoint is asked, others may."""
        return self._parts.measuring(f"snipbench {what} of {self._task_id}", self._ends.raise_if_ended)

    def _now(self) -> str:
        return to_text(self._parts.clock.now())


def _candidate(advice: Advice, original: Snippet) -> Snippet | None:
    return as_variant(advice, original, name=f"{original.name}.improved"[-127:])
