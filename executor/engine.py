"""The leader's way to a Spark session: starts it in a child process, has it run snippets, brackets and times them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from executor import bracketing
from executor.calls import ProfileFacts, ProfileRequest, SessionFacts, SessionSpec, SnippetCall
from executor.scratch import Scratch
from executor.spark_process import Launch, SparkProcess, failure_in, nothing, timeout_failure
from executor.supervisor import Reply
from snipbench.clock import Clock, to_text
from snipbench.domain.plan import Phase
from snipbench.domain.result import Comparison, Equality, ResultFacts
from snipbench.domain.run import Cost, Failure, RunMemory, RunOutcome, RunStatus
from snipbench.errors import SessionLost
from snipbench.resources.port import CounterSource, Target

AFTER_SECONDS = 60.0
SETTLE_LOOKS = 6
SETTLE_LOOK_SECONDS = 0.5
TAIL_CHARACTERS = 8000
STOPPED = "StoppedSession"


@dataclass(slots=True)
class _Progress:
    """What is known of a run so far, so that whatever ends it can be recorded with all of it."""

    started_at: str
    begun: float
    wall_seconds: float | None = None
    command_seconds: float | None = None
    costs: tuple[Cost, ...] = ()
    memory: RunMemory = field(default_factory=RunMemory)
    spark: dict[str, float | int | None] = field(default_factory=dict)
    overhead: dict[str, float] = field(default_factory=dict)

    def spend(self, stages: Mapping[str, float]) -> None:
        for name, seconds in stages.items():
            self.overhead[name] = self.overhead.get(name, 0.0) + seconds


class Engine(SparkProcess):
    """A Spark session that is measured. After it is lost (see :attr:`lost`), make a new one."""

    def __init__(self, spec: SessionSpec, clock: Clock, counter_source: CounterSource) -> None:
        self._scratch = Scratch(spec.work_directory, clock)
        super().__init__(replace(spec, work_directory=self._scratch.path), clock, Launch.as_we_are())
        self._source = counter_source

    def start(self) -> SessionFacts:
        """See :meth:`executor.spark_process.SparkProcess.start`; in a scratch folder of its own."""
        self._scratch.make()
        facts = super().start()
        return replace(facts, conf=tuple((name, self._scratch.left_out(value)) for name, value in facts.conf))

    def stop(self, grace_seconds: float = 5.0) -> None:
        """End the session and its process, which has so long to end by itself; nothing of its scratch is left."""
        super().stop(grace_seconds)
        self._scratch.remove()

    def run(
        self,
        call: SnippetCall,
        *,
        timeout_seconds: float,
        phase: Phase = Phase.MEASURED,
        targets: Sequence[Target] = (),
        cancel_statements: Callable[[], None] = nothing,
    ) -> RunOutcome:
        """Execute the snippet once; never raises for what the snippet does.

        Args:
            timeout_seconds: after this long the Spark jobs are cancelled and ``cancel_statements`` is called.
            targets: whose counters are read right before and after, besides none other.
            cancel_statements: ends the statements of this session in the database.

        An outcome of status ``KILLED``, and one after which :attr:`lost` is set, needs a new engine.
        """
        progress = _Progress(to_text(self._clock.now()), self._clock.monotonic())
        self._supervisor.take_output()
        try:
            status, failure = self._run(call, timeout_seconds, phase, targets, cancel_statements, progress)
        except SessionLost as error:
            self.lose(error.reason)
            status, failure = RunStatus.KILLED, Failure("SessionLost", error.reason, error.detail)
        return self._outcome(progress, status, failure)

    def go_on(self, source: CounterSource) -> bool:
        """After :meth:`interrupt`: take calls again, read by ``source``. Whether the session still lives."""
        self._source = source
        self._supervisor.go_on()
        return self.lost is None and self._supervisor.alive

    def fingerprint(
        self,
        call: SnippetCall,
        timeout_seconds: float,
        *,
        sort_keys: Sequence[str] | None = None,
        cancel_statements: Callable[[], None] = nothing,
    ) -> ResultFacts:
        """Execute the snippet untimed and hash its result.

        Args:
            sort_keys: the ``sort_keys`` of the baseline's facts, for a variant; ``None`` for a baseline.

        Raises:
            ChildError: with the kind of failure: the snippet raised, broke a rule (``AllNull`` …), ran out of time.
            SessionLost: the process ended.
        """
        keys = None if sort_keys is None else list(sort_keys)
        body = {"call": call.to_wire(), "sort_keys": keys}
        facts = self.ask_untimed("fingerprint", body, timeout_seconds, cancel_statements)
        return ResultFacts(
            result_hash=facts["result_hash"],
            rows=facts["rows"],
            columns=tuple((name, kind) for name, kind in facts["columns"]),
            all_null_columns=tuple(facts["all_null_columns"]),
            sort_keys=tuple(facts["sort_keys"]),
        )

    def compare(
        self,
        baseline: SnippetCall,
        variant: SnippetCall,
        float_tolerance: float,
        timeout_seconds: float,
        *,
        cancel_statements: Callable[[], None] = nothing,
    ) -> Comparison:
        """Execute both untimed and judge whether they give the same. Raises as :meth:`fingerprint` does."""
        body = {"baseline": baseline.to_wire(), "call": variant.to_wire(), "float_tolerance": float_tolerance}
        found = self.ask_untimed("compare", body, timeout_seconds, cancel_statements)
        return Comparison(Equality(found["equality"]), found["reason"], tuple(found["differing_rows"]))

    def explain(self, call: SnippetCall, timeout_seconds: float = 60.0) -> str:
        """Spark's formatted plan of the snippet; empty for a ``function``. Raises as :meth:`fingerprint` does."""
        plan: str = self.ask_untimed("explain", {"call": call.to_wire()}, timeout_seconds)["plan"]
        return plan

    def profile(
        self,
        call: SnippetCall,
        request: ProfileRequest,
        timeout_seconds: float,
        *,
        cancel_statements: Callable[[], None] = nothing,
    ) -> ProfileFacts:
        """Execute the snippet untimed with its functions profiled; calls go to a folder, whatever the snippet does.

        Raises:
            SessionLost: the process ended; the folder may hold calls.
        """
        body = request.to_wire() | {"call": call.to_wire()}
        try:
            reply = self.ask("profile", body, timeout_seconds, cancel_statements)
        except SessionLost as error:
            self.lose(error.reason)
            raise
        lost = reply.body.get("lost_calls", 0)
        if reply.timed_out:
            return ProfileFacts(None, lost, timeout_failure(timeout_seconds, "its profile pass"))
        if (failure := failure_in(reply)) is not None:
            return ProfileFacts(None, lost, failure)
        return ProfileFacts(reply.body["result"]["seconds"], lost)

    def _run(
        self,
        call: SnippetCall,
        timeout: float,
        phase: Phase,
        targets: Sequence[Target],
        cancel_statements: Callable[[], None],
        progress: _Progress,
    ) -> tuple[RunStatus, Failure | None]:
        """Load, read, run, read, collect. Fills ``progress`` as it goes."""
        reply = self.ask("load", call.to_wire() | {"phase": phase.value}, timeout, cancel_statements)
        self._account(progress, reply)
        if reply.timed_out:
            return RunStatus.TIMEOUT, timeout_failure(timeout, "loading it")
        if (failure := failure_in(reply)) is not None:
            return RunStatus.FAILED, failure

        read_at = self._clock.monotonic()
        before = bracketing.read(self._source, targets)
        progress.spend({"counters": self._clock.monotonic() - read_at})
        ran = self.ask("run", {}, timeout, cancel_statements)
        read_at = self._clock.monotonic()
        progress.costs = bracketing.costs(self._source, targets, before, bracketing.read(self._source, targets))
        progress.spend({"counters": self._clock.monotonic() - read_at})

        progress.command_seconds = ran.seconds
        wall = ran.body.get("wall_seconds")
        failure = failure_in(ran)
        if failure is None and wall is not None and not ran.timed_out:
            progress.wall_seconds = wall
            progress.spend({"command": ran.seconds - wall})
        if ran.timed_out:
            self._settle(cancel_statements)
        failed = failure is not None or ran.timed_out
        after = self.ask("after", {"failed": failed}, AFTER_SECONDS, interruptible=False)
        self._account(progress, after)
        self._collect(progress, ran, after)
        if ran.timed_out:
            return RunStatus.TIMEOUT, timeout_failure(timeout, "running it")
        left = failure_in(after)
        if left is not None and (failure is None or left.kind == STOPPED):
            failure = left  # that the session was stopped explains whatever else went wrong
        return (RunStatus.OK, None) if failure is None else (RunStatus.FAILED, failure)

    def _settle(self, cancel_statements: Callable[[], None]) -> None:
        """Wait some seconds for the tasks of a run that was cut; one may begin its statement after they were ended."""
        for _ in range(SETTLE_LOOKS):
            reply = self.ask("settle", {"seconds": SETTLE_LOOK_SECONDS}, AFTER_SECONDS, interruptible=False)
            if reply.body.get("settled", True):
                return
            cancel_statements()

    def _account(self, progress: _Progress, reply: Reply) -> None:
        """Add a request's seconds by stage, and what the way there and back took."""
        stages: dict[str, float] = reply.body.get("seconds", {})
        progress.spend(stages)
        progress.spend({"channel": reply.seconds - sum(stages.values())})

    def _collect(self, progress: _Progress, ran: Reply, after: Reply) -> None:
        metrics: dict[str, float | int | None] = dict(after.body.get("metrics", {}))
        memory = after.body.get("memory", {})
        peak = metrics.get("peak_execution_bytes")
        progress.memory = RunMemory(
            spark_execution_peak_bytes=None if peak is None else int(peak),
            jvm_pools_peak_bytes=memory.get("jvm_pools_peak_bytes"),
            python_workers_peak_bytes=memory.get("python_workers_peak_bytes"),
        )
        progress.spark = metrics | {"build_seconds": ran.body.get("build_seconds")}

    def _outcome(self, progress: _Progress, status: RunStatus, failure: Failure | None) -> RunOutcome:
        tail, printed = self._supervisor.take_output()
        total = self._clock.monotonic() - progress.begun
        if progress.wall_seconds is not None:
            known = progress.wall_seconds + sum(progress.overhead.values())
            progress.spend({"other": total - known})
        return RunOutcome(
            status=status,
            session_id=self._session_id,
            started_at=progress.started_at,
            ended_at=to_text(self._clock.now()),
            wall_seconds=progress.wall_seconds,
            failure=failure,
            costs=progress.costs,
            memory=progress.memory,
            spark=progress.spark,
            overhead_seconds=progress.overhead,
            output_tail=tail[-TAIL_CHARACTERS:],
            output_bytes=printed,
            command_seconds=progress.command_seconds,
        )
