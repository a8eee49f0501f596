"""One life of the Spark session's process: started, prepared, asked, ended. What it is asked is its users' business."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from executor.calls import PreparedFacts, PrepareRequest, SessionFacts, SessionSpec
from executor.supervisor import Reply, Supervisor
from snipbench.clock import Clock
from snipbench.domain.run import Failure
from snipbench.domain.spark_master import DRIVER, is_local
from snipbench.errors import ChildError, ExecutorError, MachineError, SessionLost
from snipbench.identity import new_id
from snipbench.redaction import Redactor, secret_values
from snipbench.resources.port import Target

START_SECONDS = 300.0
PREPARE_SECONDS = 1800.0
"""Making views materialises them where the source is ``cached``."""
GRACE_SECONDS = 5.0
"""How long a cancelled request may take to end before its process is killed."""

FOREIGN_VARIABLES = ("SPARK_HOME", "SPARK_CONF_DIR", "PYSPARK_SUBMIT_ARGS", "PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON")
"""Settings of some other Spark on this machine; with them the session would not be the one that was asked for."""
OUR_SECRETS = ("OPENAI_API_KEY", "OPENAI_API_KEY_FILE")
"""What the platform needs to ask an advisor; no snippet does (decision 0215)."""


def nothing() -> None:
    """No statements to cancel."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How the process is started: its command and its whole environment."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]

    @classmethod
    def as_we_are(cls) -> Launch:
        """With this process's rights and environment."""
        return cls(SESSION, inherited_environment())


SESSION = (sys.executable, "-m", "executor.session")
"""The command, where nothing is wrapped around it."""


class SparkProcess:
    """A Spark session in a child process. After it is lost (see :attr:`lost`), make a new one.

    Calls come one at a time, from one thread; :meth:`kill` may come from any.
    """

    def __init__(self, spec: SessionSpec, clock: Clock, launch: Launch) -> None:
        self._spec = spec
        self._clock = clock
        self._hide = Redactor(secret_values(os.environ)).values
        self._supervisor = Supervisor(
            launch.argv,
            env=launch.environment,
            cwd=spec.work_directory,
            memory_cap_bytes=spec.memory_cap_bytes,
            name="the Spark session",
            clock=clock,
            hide=self._hide,
        )
        self._session_id = new_id("session", clock.now())
        self.lost: str | None = None
        """Why this session can do no more, once that is so."""

    @property
    def session_id(self) -> str:
        """Id of this session."""
        return self._session_id

    @property
    def supervisor(self) -> Supervisor:
        """Who started the process."""
        return self._supervisor

    @property
    def target(self) -> Target:
        """The session's process tree, to be watched; without Spark's executors, where those are on a cluster."""
        return Target("executor" if is_local(self._spec.master) else DRIVER, pid=self._supervisor.pid)

    def start(self) -> SessionFacts:
        """Start the process and Spark in it, and have Spark prove that its parts fit together, if it is to.

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
            "self_test": self._spec.self_test,
        }
        try:
            self._supervisor.start()
            if self.lost is not None:  # told so before there was a process to end
                self._supervisor.kill(self.lost)
            facts = self._call("start", body, START_SECONDS)
        except ChildError as error:
            self.lose(error.message)
            raise MachineError(error.message) from error
        except SessionLost as error:
            self.lose(error.reason)
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
            executors=facts["executors"],
        )

    def prepare(self, request: PrepareRequest) -> PreparedFacts:
        """Connect to a database and make its tables temporary views, anew only where something changed.

        Raises:
            ChildError: the connection or a table cannot be had; the session goes on.
            SessionLost: the process ended, or had to be.
        """
        try:
            facts = self._call("prepare", request.to_wire(), PREPARE_SECONDS)
        except SessionLost as error:
            self.lose(error.reason)
            raise
        except ChildError as error:  # of the request itself: what is wrong with a table stands in its reply
            raise self._broken("prepare", error, request.password) from error
        if (failure := facts.get("failure")) is not None:
            texts = (
                self._hide(str(failure[part])).replace(request.password or "\0", "***")
                for part in ("message", "traceback")
            )
            raise ChildError(failure["kind"], *texts)
        return PreparedFacts(
            views=tuple(facts["views"]),
            schemas=tuple((name, ddl) for name, ddl in facts["schemas"]),
            created=tuple(facts["created"]),
            seconds=facts["seconds"],
        )

    def ask(
        self,
        op: str,
        body: Mapping[str, object],
        timeout: float,
        on_timeout: Callable[[], None] = nothing,
        *,
        interruptible: bool = True,
    ) -> Reply:
        """A request about a snippet. A failure of the request itself, not of the snippet, costs the session.

        :meth:`interrupt` ends it like its time-out, if it is ``interruptible``: what puts a session in order is not.

        Raises:
            SessionLost: the process ended, or had to be.
        """
        try:
            reply = self._supervisor.call(
                op,
                body,
                timeout_seconds=timeout,
                grace_seconds=GRACE_SECONDS,
                on_timeout=on_timeout,
                interruptible=interruptible,
            )
        except ChildError as error:
            raise self._broken(op, error) from error
        if (lost := reply.body.get("lost")) is not None:
            self.lose(lost)
        if (failure := reply.body.get("failure")) is not None:
            shown = {part: self._hide(str(failure[part])) for part in ("message", "traceback")}
            reply = replace(reply, body={**reply.body, "failure": {**failure, **shown}})
        return reply

    def ask_untimed(
        self, op: str, body: Mapping[str, object], timeout: float, on_timeout: Callable[[], None] = nothing
    ) -> dict[str, Any]:
        """The ``result`` of an untimed pass.

        Raises:
            ChildError: with the kind of failure: the snippet raised, broke a rule, ran out of time.
            SessionLost: the process ended.
        """
        try:
            reply = self.ask(op, body, timeout, on_timeout)
        except SessionLost as error:
            self.lose(error.reason)
            raise
        if reply.timed_out:
            failure = timeout_failure(timeout, f"its untimed pass ({op})")
        elif (found := failure_in(reply)) is not None:
            failure = found
        else:
            result: dict[str, Any] = reply.body["result"]
            return result
        raise ChildError(failure.kind, failure.message, failure.traceback)

    def stop(self, grace_seconds: float = 5.0) -> None:
        """End the session and its process, which has so long to end by itself."""
        self.lose("it was stopped")
        self._supervisor.stop(grace_seconds)

    def kill(self, reason: str = "it was killed") -> None:
        """End the process at once; a call under way raises :class:`SessionLost`."""
        self.lose(reason)
        self._supervisor.kill(reason)

    def interrupt(self) -> None:
        """Have what a snippet does end, as its time-out would; the session stays. For any thread."""
        self._supervisor.interrupt()

    def lose(self, reason: str) -> None:
        """From now on this session can do no more; the first reason stands."""
        self.lost = self.lost or reason

    def _broken(self, op: str, error: ChildError, password: str = "") -> SessionLost:
        """The loss of a session in which a request failed that cannot, whatever a snippet or a database does."""
        reason, detail = (
            text.replace(password or "\0", "***") for text in (f"{op!r} failed: {error}", error.traceback)
        )
        self.kill(reason)
        return SessionLost(reason, detail=detail)

    def _call(self, op: str, body: Mapping[str, object], timeout: float) -> Mapping[str, Any]:
        reply = self._supervisor.call(op, body, timeout_seconds=timeout, grace_seconds=GRACE_SECONDS)
        if reply.timed_out:
            raise ExecutorError(f"the Spark session took more than {timeout:g} s to {op}") from reply.error
        return reply.body


def failure_in(reply: Reply) -> Failure | None:
    """The failure that a reply tells of."""
    found = reply.body.get("failure")
    if found is not None:
        return Failure(found["kind"], found["message"], found["traceback"])
    if reply.error is not None:
        return Failure(reply.error.kind, reply.error.message, reply.error.traceback)
    return None


def timeout_failure(seconds: float, what: str) -> Failure:
    """The failure of a request that was cancelled."""
    return Failure("Timeout", f"{what} took more than {seconds:g} s and was cancelled")


def inherited_environment() -> dict[str, str]:
    """Ours, less the settings of another Spark and what only advisors need, and with where our packages are, for the
    child and Spark's workers."""
    left_out = {*FOREIGN_VARIABLES, *OUR_SECRETS}
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    root = str(Path(__file__).resolve().parent.parent)
    paths = [root, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    return environment | {"PYTHONPATH": os.pathsep.join(paths)}
