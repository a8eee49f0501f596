"""The leader's way to a Spark session: starts it in a child process, has it run snippets, brackets and times them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from executor import bracketing
from executor.calls import PreparedFacts, PrepareRequest, SessionFacts, SessionSpec, SnippetCall
from executor.supervisor import Reply, Supervisor
from snipbench.clock import Clock, to_text
from snipbench.domain.plan import Phase
from snipbench.domain.result import Comparison, Equality, ResultFacts
from snipbench.domain.run import Cost, Failure, RunMemory, RunOutcome, RunStatus
from snipbench.errors import ChildError, ExecutorError, MachineError, SessionLost
from snipbench.identity import new_id
from snipbench.resources.port import CounterSource, Target

START_SECONDS = 300.0
PREPARE_SECONDS = 1800.0
"""Making views materialises them where the source is ``cached``."""
AFTER_SECONDS = 60.0
GRACE_SECONDS = 5.0
"""How long a cancelled request may take to end before its process is killed."""
TAIL_CHARACTERS = 8000
STOPPED = "StoppedSession"

FOREIGN_VARIABLES = ("SPARK_HOME", "SPARK_CONF_DIR", "PYSPARK_SUBMIT_ARGS", "PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON")
"""Settings of some other Spark on this machine; with them the session would not be the one that was asked for."""


def _nothing() -> None:
    """No statements to cancel."""


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


class Engine:
    """One life of a Spark session. After it is lost (see :attr:`lost`), make a new one.

    Calls come one at a time, from one thread; :meth:`kill` may come from any.
    """

    def __init__(self, spec: SessionSpec, clock: Clock, counter_source: CounterSource) -> None:
        self._spec = spec
        self._clock = clock
        self._source = counter_source
        self._supervisor = Supervisor(
            [sys.executable, "-m", "executor.session"],
            env=_environment(),
            cwd=spec.work_directory,
            memory_cap_bytes=spec.memory_cap_bytes,
            name="the Spark session",
            clock=clock,
        )
        self._session_id = new_id("session", clock.now())
        self.lost: str | None = None
        """Why this session can do no more, once that is so."""

    def start(self) -> SessionFacts:
        """Start the process and Spark in it, and have Spark prove that its parts fit together.

        Raises:
            MachineError: Spark does not start or fails its self-test; the message names versions.
            SessionLost: the process ended.
        """
        begun = self._clock.monotonic()
        for directory in (self._spec.work_directory, self._spec.log_directory):
            directory.mkdir(parents=True, exist_ok=True)
        body = {
            "master": self._spec.master,
            "conf": list(self._spec.conf),
            "jars": [str(jar) for jar in self._spec.jars],
            "work_directory": str(self._spec.work_directory),
            "log_directory": str(self._spec.log_directory),
        }
        try:
            self._supervisor.start()
            facts = self._call("start", body, START_SECONDS)
        except ChildError as error:
            self._lose(error.message)
            raise MachineError(error.message) from error
        except SessionLost as error:
            self._lose(error.reason)
            raise
        return SessionFacts(
            session_id=self._session_id,
            pid=self._supervisor.pid,
            spark_version=facts["spark_version"],
            conf=tuple((name, value) for name, value in facts["conf"]),
            start_seconds=self._clock.monotonic() - begun,
            python_version=facts["python_version"],
            java_version=facts["java_version"],
            scala_version=facts["scala_version"],
            slots=facts["slots"],
        )

    @property
    def session_id(self) -> str:
        """Id of this session."""
        return self._session_id

    @property
    def target(self) -> Target:
        """The session's process tree, to be watched."""
        return Target("executor", pid=self._supervisor.pid)

    def prepare(self, request: PrepareRequest) -> PreparedFacts:
        """Connect to a database and make its tables temporary views, anew only where something changed.

        Raises:
            ChildError: the connection or a table cannot be had; the session goes on.
            SessionLost: the process ended.
        """
        try:
            facts = self._call("prepare", request.to_wire(), PREPARE_SECONDS)
        except SessionLost as error:
            self._lose(error.reason)
            raise
        if (failure := facts.get("failure")) is not None:
            texts = (str(failure[part]).replace(request.password or "\0", "***") for part in ("message", "traceback"))
            raise ChildError(failure["kind"], *texts)
        return PreparedFacts(
            views=tuple(facts["views"]),
            schemas=tuple((name, ddl) for name, ddl in facts["schemas"]),
            created=tuple(facts["created"]),
            seconds=facts["seconds"],
        )

    def run(
        self,
        call: SnippetCall,
        *,
        timeout_seconds: float,
        phase: Phase = Phase.MEASURED,
        targets: Sequence[Target] = (),
        cancel_statements: Callable[[], None] = _nothing,
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
            self._lose(error.reason)
            status, failure = RunStatus.KILLED, Failure("SessionLost", error.reason, error.detail)
        return self._outcome(progress, status, failure)

    def fingerprint(
        self,
        call: SnippetCall,
        timeout_seconds: float,
        *,
        sort_keys: Sequence[str] | None = None,
        cancel_statements: Callable[[], None] = _nothing,
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
        facts = self._untimed("fingerprint", body, timeout_seconds, cancel_statements)
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
        cancel_statements: Callable[[], None] = _nothing,
    ) -> Comparison:
        """Execute both untimed and judge whether they give the same. Raises as :meth:`fingerprint` does."""
        body = {"baseline": baseline.to_wire(), "call": variant.to_wire(), "float_tolerance": float_tolerance}
        found = self._untimed("compare", body, timeout_seconds, cancel_statements)
        return Comparison(Equality(found["equality"]), found["reason"], tuple(found["differing_rows"]))

    def explain(self, call: SnippetCall, timeout_seconds: float = 60.0) -> str:
        """Spark's formatted plan of the snippet; empty for a ``function``. Raises as :meth:`fingerprint` does."""
        plan: str = self._untimed("explain", {"call": call.to_wire()}, timeout_seconds)["plan"]
        return plan

    def stop(self) -> None:
        """End the session and its process."""
        self._lose("it was stopped")
        self._supervisor.stop()

    def kill(self, reason: str = "it was killed") -> None:
        """End the process at once; a call under way raises :class:`SessionLost`."""
        self._lose(reason)
        self._supervisor.kill(reason)

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
        reply = self._timed("load", call.to_wire() | {"phase": phase.value}, timeout, cancel_statements)
        self._account(progress, reply)
        if reply.timed_out:
            return RunStatus.TIMEOUT, _timeout(timeout, "loading it")
        if (failure := _failure(reply)) is not None:
            return RunStatus.FAILED, failure

        read_at = self._clock.monotonic()
        before = bracketing.read(self._source, targets)
        progress.spend({"counters": self._clock.monotonic() - read_at})
        ran = self._timed("run", {}, timeout, cancel_statements)
        read_at = self._clock.monotonic()
        progress.costs = bracketing.costs(self._source.name, before, bracketing.read(self._source, targets))
        progress.spend({"counters": self._clock.monotonic() - read_at})

        progress.command_seconds = ran.seconds
        wall = ran.body.get("wall_seconds")
        failure = _failure(ran)
        if failure is None and wall is not None and not ran.timed_out:
            progress.wall_seconds = wall
            progress.spend({"command": ran.seconds - wall})
        after = self._timed("after", {"failed": failure is not None or ran.timed_out}, AFTER_SECONDS)
        self._account(progress, after)
        self._collect(progress, ran, after)
        if ran.timed_out:
            return RunStatus.TIMEOUT, _timeout(timeout, "running it")
        left = _failure(after)
        if left is not None and (failure is None or left.kind == STOPPED):
            failure = left  # that the session was stopped explains whatever else went wrong
        return (RunStatus.OK, None) if failure is None else (RunStatus.FAILED, failure)

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

    def _timed(
        self, op: str, body: Mapping[str, object], timeout: float, on_timeout: Callable[[], None] = _nothing
    ) -> Reply:
        """A request about a snippet. A failure of the request itself, not of the snippet, costs the session."""
        try:
            reply = self._supervisor.call(
                op, body, timeout_seconds=timeout, grace_seconds=GRACE_SECONDS, on_timeout=on_timeout
            )
        except ChildError as error:
            self._supervisor.kill(f"{op!r} failed: {error}")
            raise SessionLost(f"{op!r} failed: {error}", detail=error.traceback) from error
        if (lost := reply.body.get("lost")) is not None:
            self._lose(lost)
        return reply

    def _untimed(
        self, op: str, body: Mapping[str, object], timeout: float, on_timeout: Callable[[], None] = _nothing
    ) -> dict[str, Any]:
        try:
            reply = self._timed(op, body, timeout, on_timeout)
        except SessionLost as error:
            self._lose(error.reason)
            raise
        if reply.timed_out:
            failure = _timeout(timeout, f"its untimed pass ({op})")
        elif (found := _failure(reply)) is not None:
            failure = found
        else:
            result: dict[str, Any] = reply.body["result"]
            return result
        raise ChildError(failure.kind, failure.message, failure.traceback)

    def _call(self, op: str, body: Mapping[str, object], timeout: float) -> Mapping[str, Any]:
        reply = self._supervisor.call(op, body, timeout_seconds=timeout, grace_seconds=GRACE_SECONDS)
        if reply.timed_out:
            raise reply.error or ExecutorError(f"the Spark session took more than {timeout:g} s to {op}")
        return reply.body

    def _lose(self, reason: str) -> None:
        self.lost = self.lost or reason


def _failure(reply: Reply) -> Failure | None:
    """The failure that a reply tells of."""
    found = reply.body.get("failure")
    if found is not None:
        return Failure(found["kind"], found["message"], found["traceback"])
    if reply.error is not None:
        return Failure(reply.error.kind, reply.error.message, reply.error.traceback)
    return None


def _timeout(seconds: float, what: str) -> Failure:
    return Failure("Timeout", f"{what} took more than {seconds:g} s and was cancelled")


def _environment() -> dict[str, str]:
    """Ours, less the settings of another Spark, with our packages to be found by the child and Spark's workers."""
    environment = {name: value for name, value in os.environ.items() if name not in FOREIGN_VARIABLES}
    root = str(Path(__file__).resolve().parent.parent)
    paths = [root, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    return environment | {"PYTHONPATH": os.pathsep.join(paths)}
