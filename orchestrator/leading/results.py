"""The untimed pass: what each snippet computes, and whether a variant computes what its baseline does."""

from __future__ import annotations

from executor.calls import SnippetCall
from executor.engine import Engine
from orchestrator.databases.port import ReferenceDatabase
from orchestrator.leading.parts import Parts
from orchestrator.leading.taskbook import TaskBook
from snipbench.domain.order import Experiment, Order, Role, Snippet
from snipbench.domain.plan import Parameters
from snipbench.domain.result import Comparison, Equality, ResultFacts
from snipbench.domain.run import Failure
from snipbench.domain.task import SnippetResult
from snipbench.errors import ChildError, SessionLost

Point = tuple[str, Parameters]


class ResultPass:
    """Results of one experiment in one session."""

    def __init__(
        self,
        parts: Parts,
        book: TaskBook,
        order: Order,
        experiment: Experiment,
        engine: Engine,
        database: ReferenceDatabase,
        application: str,
    ) -> None:
        self._parts = parts
        self._book = book
        self._tolerance = order.float_tolerance
        self._experiment = experiment
        self._engine = engine
        self._database = database
        self._application = application
        self._facts: dict[Point, ResultFacts] = {}
        self._failures: dict[Point, Failure] = {}

    def take(self, snippet: str, parameters: Parameters) -> None:
        """Hash one result and keep it; a failure is kept as one. A baseline is taken before its variants."""
        facts, failure = None, None
        definition = self._experiment.snippet(snippet)
        baseline = self._facts.get((definition.baseline, parameters))
        judged = definition.role is Role.VARIANT and baseline is not None
        try:
            facts = self._engine.fingerprint(
                self._call(snippet, parameters),
                timeout_seconds=self._experiment.timeout_seconds + self._parts.result_grace_seconds,
                sort_keys=baseline.sort_keys if judged and baseline else None,
                cancel_statements=self._cancel,
            )
        except ChildError as error:
            failure = Failure(error.kind, error.message, error.traceback)
        except SessionLost as error:
            failure = Failure("SessionLost", str(error))
        if failure is not None:
            self._book.check()  # who ends a task ends what its session does too, and the next leader takes this again
        if facts is not None:
            self._facts[snippet, parameters] = facts
            self._failures.pop((snippet, parameters), None)
        if failure is not None:
            self._failures[snippet, parameters] = failure
        self._keep(snippet, parameters, facts, failure, None)

    def compare(self, points: list[Point]) -> None:
        """Judge each variant against its baseline and keep the judgement. Returns early when the session is lost: the
        pair that lost it is inconclusive, and its rows are not compared again."""
        for snippet, parameters in points:
            definition = self._experiment.snippet(snippet)
            baseline = self._facts.get((definition.baseline, parameters))
            facts = self._facts.get((snippet, parameters))
            if definition.role is not Role.VARIANT or baseline is None or facts is None:
                continue
            try:
                comparison = self._judge(definition, parameters, baseline, facts)
            except ChildError as error:
                self._book.log(
                    "results not compared",
                    experiment=self._experiment.name,
                    status="failed",
                    text=f"{snippet} against {definition.baseline}: {error}",
                )
                continue
            except SessionLost as error:
                self._book.check()  # as in `take`
                reason = f"the session was lost while the rows were compared: {error.reason}"
                self._keep(snippet, parameters, facts, None, Comparison(Equality.INCONCLUSIVE, reason))
                return
            if comparison is not None:
                self._keep(snippet, parameters, facts, None, comparison)

    def _judge(
        self, variant: Snippet, parameters: Parameters, baseline: ResultFacts, facts: ResultFacts
    ) -> Comparison | None:
        """Equal hashes are equal results; otherwise the rows decide. ``None`` where they could not before."""
        if facts.result_hash == baseline.result_hash:
            return Comparison(Equality.EQUAL, "the hashes are equal")
        kept = self._kept(variant.name, parameters)
        if kept is not None and kept.comparison is not None and kept.comparison.equality is Equality.INCONCLUSIVE:
            return None
        return self._engine.compare(
            self._call(variant.baseline, parameters),
            self._call(variant.name, parameters),
            float_tolerance=self._tolerance,
            timeout_seconds=2 * self._experiment.timeout_seconds + self._parts.result_grace_seconds,
            cancel_statements=self._cancel,
        )

    def failure(self, snippet: str, parameters: Parameters) -> Failure | None:
        """The broken rule that only shows in the result (all NULL), and fails the runs too; ``None`` if none was."""
        failure = self._failures.get((snippet, parameters))
        return failure if failure is not None and failure.kind == "AllNull" else None

    def told(self, snippet: str, parameters: Parameters) -> str:
        """What an earlier pass told of a result that could not be had; empty if none did."""
        kept = self._kept(snippet, parameters)
        return "" if kept is None or kept.failure is None else kept.failure.message

    def hash_of(self, snippet: str, parameters: Parameters) -> str | None:
        """The result's hash in this session."""
        facts = self._facts.get((snippet, parameters))
        return None if facts is None else facts.result_hash

    def _kept(self, snippet: str, parameters: Parameters) -> SnippetResult | None:
        point = (self._experiment.name, snippet, parameters)
        results = self._book.results()
        return next((one for one in results if (one.experiment, one.snippet, one.parameters) == point), None)

    def _call(self, snippet: str, parameters: Parameters) -> SnippetCall:
        return SnippetCall(self._experiment.snippet(snippet), parameters)

    def _cancel(self) -> None:
        self._parts.cancel_backends(self._database.admin, self._application)

    def _keep(
        self,
        snippet: str,
        parameters: Parameters,
        facts: ResultFacts | None,
        failure: Failure | None,
        comparison: Comparison | None,
    ) -> None:
        self._book.keep_result(
            SnippetResult(
                task_id=self._book.task.task_id,
                experiment=self._experiment.name,
                snippet=snippet,
                parameters=parameters,
                baseline=self._experiment.snippet(snippet).baseline,
                clone_id=self._database.clone_id,
                facts=facts,
                comparison=comparison,
                failure=failure,
            )
        )
