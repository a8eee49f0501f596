"""A sandboxed Spark session that executes a baseline or a candidate, timed and judged from outside (decision 0121)."""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from executor import bracketing
from executor.calls import PreparedFacts, PrepareRequest, SessionFacts, SessionSpec, SnippetCall
from executor.jail import Jail
from executor.jail.furniture import Furniture
from executor.jail.relay import PORT, Relay, listen_on_socket, to_address
from executor.process_tree import pause, resume
from executor.proving.facts import ProofRun, Sandbox, WrittenResult
from executor.proving.taking import NotTaken, take
from executor.spark_process import SESSION, Launch, SparkProcess, failure_in, nothing, timeout_failure
from snipbench.clock import Clock
from snipbench.domain.run import Failure, RunStatus
from snipbench.errors import ExecutorError, ProtocolError, SessionLost
from snipbench.resources.port import CounterSource

AFTER_SECONDS = 60.0
HANG_UP_SECONDS = 2.0
"""How long connections to the database may outlast the run that opened them."""

FREEZE_SECONDS = 30.0
"""How long stopping may take where a process waits for a disk that others keep busy."""

RESULTS = "results"
CONF = (
    ("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS"),
    ("spark.network.timeout", "86400s"),  # a frozen session sends no heartbeats
)
"""Settings that proofs need, over those of the order."""

_URL = re.compile(r"jdbc:postgresql://(?P<host>[^/:,\[\]]+|\[[^\]]+\])(:(?P<port>\d+))?/(?P<rest>.*)")


class ProofSession:
    """One life of a sandboxed Spark session on one data copy. One session runs one side: baseline or candidate.

    Nothing that the session's process says about time or equality is believed. A proof goes, for each pair: change the
    data copy that both sessions see (or take parameters that neither has met), :meth:`time` the call of one session,
    then that of the other, in random order; then have :class:`executor.proving.Judge` compare the two ``written`` of a
    random sample of pairs, chosen after the fact. A pair whose outputs differ is a wrong result, whatever its times.

    Whenever no call is under way the session is frozen: it cannot look at data that were changed for the next pair, nor
    compete with the other side. Calls come one at a time, from one thread; :meth:`kill` may come from any.

    Args:
        spec: ``work_directory`` must be new; nothing else is writable to the session, its log is below it.
        counter_source: reads what runs cost.
        jail: ``None`` runs it unjailed, with the user's consent; ``reason`` then says why.
    """

    def __init__(
        self,
        spec: SessionSpec,
        clock: Clock,
        counter_source: CounterSource,
        *,
        jail: Jail | None,
        reason: str = "run without a sandbox by consent",
    ) -> None:
        self.sandbox = Sandbox("none", reason) if jail is None else Sandbox("bwrap")
        self._clock = clock
        self._source = counter_source
        self._work = spec.work_directory.resolve()
        settings = dict(spec.conf) | dict(CONF)
        spec = replace(spec, work_directory=self._work, log_directory=self._work / "logs", conf=tuple(settings.items()))
        self._furniture: Furniture | None = None
        argv: tuple[str, ...] = SESSION
        if jail is not None:
            self._furniture = Furniture(jail.user())
            argv = jail.command(
                SESSION,
                self._furniture,
                writable=self._work,
                readable=[path.resolve() for path in spec.jars],
                network=self._furniture.network,
            )
        self._process = SparkProcess(spec, clock, Launch(argv, Jail.environment()))
        self._relay: Relay | None = None
        self._database: tuple[str, int] | None = None

    @property
    def lost(self) -> str | None:
        """Why this session can do no more, once that is so."""
        return self._process.lost

    @property
    def session_id(self) -> str:
        """Id of this session."""
        return self._process.session_id

    @property
    def keeper_pid(self) -> int:
        """Root of all that the session ever started; see :class:`executor.supervisor.Supervisor`."""
        return self._process.supervisor.keeper_pid

    def start(self) -> SessionFacts:
        """As :meth:`executor.engine.Engine.start`. Raises MachineError, SessionLost."""
        for directory in (self._work, self._work / "logs", self._work / RESULTS):
            directory.mkdir(parents=True, exist_ok=True)
            if self._furniture is not None and (user := self._furniture.user) is not None:
                os.chown(directory, user, user)
        if self._furniture is not None:
            self._relay = Relay(listen_on_socket(self._furniture.network / Furniture.SOCKET), self._connect)
        with self._awake(), self._believing():
            return self._process.start()

    def prepare(self, request: PrepareRequest) -> PreparedFacts:
        """As :meth:`executor.engine.Engine.prepare`; a jailed session reaches this database and no other.

        ``request.jdbc_url`` is the clone's as seen from here. Raises ChildError, SessionLost; ExecutorError for an URL
        that names no single host.
        """
        if self._relay is not None:
            request = replace(request, jdbc_url=self._redirected(request.jdbc_url, self._relay))
        with self._awake(), self._believing():
            return self._process.prepare(request)

    def time(
        self,
        call: SnippetCall,
        timeout_seconds: float,
        *,
        into: Path,
        cancel_statements: Callable[[], None] = nothing,
    ) -> ProofRun:
        """Execute the call once, have its result written, and time that from outside. Never raises for what it does.

        The session is frozen as soon as it has replied, and what is written by then is copied to the new directory
        ``into`` (outside the jail). After ``KILLED``, or once :attr:`lost` is set, make a new session.

        Args:
            timeout_seconds: after this long the Spark jobs are cancelled and ``cancel_statements`` is called.
            cancel_statements: ends the statements of this session in the database.
        """
        return self._execute(call, timeout_seconds, into, cancel_statements, sort_keys=False)

    def write(
        self,
        call: SnippetCall,
        into: Path,
        timeout_seconds: float,
        *,
        cancel_statements: Callable[[], None] = nothing,
    ) -> WrittenResult:
        """Execute the call untimed, and copy its result to the new directory ``into``; with the plan's sort keys.

        Never raises for what the call does.
        """
        run = self._execute(call, timeout_seconds, into, cancel_statements, sort_keys=True)
        return run.written or WrittenResult(None, run.failure)

    def freeze(self) -> None:
        """Stop every process of the session. It is, whenever no call is under way.

        A session that cannot be stopped is ended, and :attr:`lost`.
        """
        if not pause(self.keeper_pid, FREEZE_SECONDS):
            self.kill(f"it did not stand still within {FREEZE_SECONDS:g} s")

    def thaw(self) -> None:
        """Let the session go on. Every call does this first and freezes it again."""
        resume(self.keeper_pid)

    def stop(self) -> None:
        """End the session and its process. Twice is no error."""
        self._process.stop(grace_seconds=0.0)  # nobody waits for what is not trusted to tidy up
        self._release()

    def kill(self, reason: str = "it was killed") -> None:
        """End the process at once; for any thread. :meth:`stop` is still to be called."""
        self._process.kill(reason)

    def _execute(
        self, call: SnippetCall, timeout: float, into: Path, cancel: Callable[[], None], *, sort_keys: bool
    ) -> ProofRun:
        try:
            with self._believing():
                return self._timed(call, timeout, into, cancel, sort_keys=sort_keys)
        except SessionLost as error:
            self._process.lose(error.reason)
            self._hang_up(cancel)
            return ProofRun(RunStatus.KILLED, None, Failure("SessionLost", error.reason, error.detail))

    def _timed(
        self, call: SnippetCall, timeout: float, into: Path, cancel: Callable[[], None], *, sort_keys: bool
    ) -> ProofRun:
        place = secrets.token_hex(8)
        target = [self._process.target]
        before = bracketing.read(self._source, target)
        with self._awake():
            begun = self._clock.monotonic()
            loaded = self._process.ask(
                "load", call.to_wire() | {"fresh_input": True, "unmeasured": True}, timeout, cancel
            )
            failure = failure_in(loaded)
            ran = loaded
            if failure is None and not loaded.timed_out:
                body = {"into": str(self._work / RESULTS / place), "sort_keys": sort_keys}
                ran = self._process.ask("write", body, timeout, cancel)
                failure = failure_in(ran)
        # Still from here on. Who forged a reply has no more done than what is written now, and the time stops here too.
        wall = self._clock.monotonic() - begun
        costs = bracketing.costs(self._source, target, before, bracketing.read(self._source, target))
        written = None
        if failure is None and not ran.timed_out:
            keys = tuple(str(key) for key in ran.body.get("sort_keys", ()))
            written = self._taken(place, into, keys)
            failure = written.failure
        with self._awake():
            if ran is not loaded:
                left = failure_in(self._process.ask("after", {"failed": written is None}, AFTER_SECONDS))
                failure = failure or left
            hung_up = self._wait_for_silence()
        if not hung_up or failure is not None or ran.timed_out:
            self._hang_up(cancel)
        if ran.timed_out:
            return ProofRun(RunStatus.TIMEOUT, None, timeout_failure(timeout, "running it"), costs=costs)
        if failure is None and not hung_up:
            failure = Failure("LeftConnections", "the snippet left connections to the database open")
        if failure is not None:
            return ProofRun(RunStatus.FAILED, None, failure, costs=costs)
        return ProofRun(RunStatus.OK, wall, None, loaded.seconds, written, costs)

    def _taken(self, place: str, into: Path, keys: tuple[str, ...]) -> WrittenResult:
        try:
            size = take(self._work, (RESULTS, place), into)
        except NotTaken as error:
            return WrittenResult(None, Failure("NothingWritten", f"the session said that it had written, but {error}"))
        return WrittenResult(into, None, size, keys)

    @contextmanager
    def _awake(self) -> Iterator[None]:
        """The session runs within, and stands still behind."""
        if self._process.supervisor.alive:
            self.thaw()
        try:
            yield
        finally:
            if self._process.supervisor.alive:
                self.freeze()

    @contextmanager
    def _believing(self) -> Iterator[None]:
        """A session that breaks the protocol (a forged reply, say) has been killed for it: it is lost."""
        try:
            yield
        except ProtocolError as error:
            lost = SessionLost(f"it broke the protocol: {error}")
            self._process.lose(lost.reason)
            raise lost from error

    def _redirected(self, url: str, relay: Relay) -> str:
        """The URL as seen from the jail; the relay leads to the one out here."""
        match = _URL.fullmatch(url)
        if match is None:
            raise ExecutorError(f"a jailed session needs a URL jdbc:postgresql://host:port/database, not {url}")
        database = match["host"].strip("[]"), int(match["port"] or 5432)
        if database != self._database:
            relay.drop()
            self._database = database
        return f"jdbc:postgresql://127.0.0.1:{PORT}/{match['rest']}"

    def _connect(self) -> socket.socket:
        if self._database is None:
            raise ConnectionRefusedError("no database has been prepared")
        return to_address(*self._database)()

    def _wait_for_silence(self) -> bool:
        """Whether all connections to the database are closed, at the latest a little later."""
        deadline = self._clock.monotonic() + HANG_UP_SECONDS
        while self._relay is not None and self._relay.connections:
            if self._clock.monotonic() > deadline:
                return False
            self._clock.sleep(0.005)
        return True

    def _hang_up(self, cancel: Callable[[], None]) -> None:
        """End what the session still has the database do."""
        if self._relay is not None and self._relay.connections:
            self._relay.drop()
            cancel()

    def _release(self) -> None:
        if self._relay is not None:
            self._relay.close()
            self._relay = None
        if self._furniture is not None:
            self._furniture.remove()
