"""The session's requests: what the parent can ask of the child process."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

from pyspark.sql import SparkSession

from executor.calls import PrepareRequest, SnippetCall
from executor.channel import shielded
from executor.results.ordering import sort_keys_of
from executor.session import untimed
from executor.session.failing import failure_of
from executor.session.functions import Inputs
from executor.session.isolation import State, StateReader, check
from executor.session.jobs import JobGroup
from executor.session.kinds import Loaded, load
from executor.session.metrics import PYTHON_METRICS, Metrics, MetricsReader
from executor.session.outcome import materialise, require_result
from executor.session.peaks import DAEMONS_VARIABLE, PythonMemory
from executor.session.pools import JvmPools
from executor.session.profiler import Profiler
from executor.session.rules import RuleBroken
from executor.session.views import Views
from executor.session.writing import write_result
from snipbench.domain.order import Kind

Body = dict[str, Any]

STOPPED = {"kind": "StoppedSession", "message": "the snippet stopped the Spark session", "traceback": ""}
ENDED = STOPPED | {"message": "the Spark session has stopped: the snippet stopped it, or its cluster ended it"}

SETTLE_SECONDS = 5.0
"""How long the tasks of a failed or cancelled run may take to end before the session is given up."""


@dataclass(slots=True)
class Current:
    """The snippet that is loaded, between ``load`` and ``after``. ``measured``: peaks and metrics are asked for."""

    call: SnippetCall
    loaded: Loaded
    stack: ExitStack
    measured: bool


class Session:
    """Holds two Spark sessions of one context: ``pristine``, which has the views and no snippet ever sees, and a clone
    of it, in which snippets run. A snippet that changed something costs a new clone, nothing else.

    ``whole``: Spark's executors are in this process's tree. Of those on a cluster no peak can be read, and what the
    driver alone used would pass for the whole.
    """

    def __init__(self, spark: SparkSession, own_pid: int, *, whole: bool = True) -> None:
        context = spark.sparkContext
        self._context = context
        self._pristine = spark
        self._spark = spark
        self._whole = whole
        self._gone = STOPPED if whole else ENDED
        self._mapper = context._jvm.org.apache.spark.status.api.v1.JacksonMessageWriter().mapper()
        self._views = Views(spark)
        self._request: PrepareRequest | None = None
        self._jobs = JobGroup(context)
        self._pools = JvmPools(context._jvm)
        daemons = Path(os.environ[DAEMONS_VARIABLE])
        self._python = PythonMemory(daemons, own_pid)
        self._metrics = MetricsReader(spark)
        self._profiler = Profiler(context, daemons)
        self._current: Current | None = None
        self._reader: StateReader
        self._reference: State
        self._clone()

    def handlers(self) -> dict[str, Callable[[Body], Mapping[str, object]]]:
        """Requests by name."""
        return {
            "prepare": self.prepare,
            "load": self.load,
            "run": self.run,
            "write": self.write,
            "settle": self.settle,
            "after": self.after,
            "fingerprint": partial(self.untimed, untimed.facts),
            "compare": partial(self.untimed, untimed.judgement),
            "explain": partial(self.untimed, untimed.plan),
            "profile": self.profile,
        }

    def cancel(self) -> None:
        """End the Spark jobs of the request under way; called from the channel's reader thread."""
        self._jobs.cancel()

    def interrupted(self) -> None:
        """The main thread is about to be torn out of what it does, in whatever call to the JVM it is."""
        self._jobs.forget_connection()

    def prepare(self, body: Body) -> Body:
        """Make the views those of the request. Replies with the failure, or views, schemas, and what was made."""
        begun = perf_counter()
        self._unload()
        self._begin("prepare")
        self._request = None
        request = PrepareRequest.from_wire(body)
        try:
            changed = self._views.ensure(request)
            if changed and not self._whole:
                self._views.read_remotely()
        except Exception as error:  # noqa: BLE001 - Spark's or the driver's; the reply tells it
            failure = failure_of(error)
            self._clone()  # some views are gone; a snippet must not see what the clone still has of them
            return {"failure": failure}
        self._request = request
        if changed:
            self._clone()
        schemas = self._views.schemas
        return {
            "views": [name for name, _ in schemas],
            "schemas": schemas,
            "created": [name for name, _ in schemas if name in changed],
            "seconds": perf_counter() - begun,
        }

    def load(self, body: Body) -> Body:
        """Everything that a run needs and that is not timed; resets the peaks last.

        With ``body["unmeasured"]`` peaks and Spark's metrics are left alone, here and in :meth:`after`: a proof times
        this part too, and believes nothing that its session says of itself. Replies with the failure of the snippet's
        own module, if it has one, and the seconds by stage.
        """
        begun = perf_counter()
        self._unload()
        call = SnippetCall.from_wire(body)
        self._begin(f"{call.snippet.name} ({body.get('phase', 'run')})")
        if body.get("fresh_input"):
            Inputs.of(self._spark).forget()
        stack = ExitStack()
        try:
            loaded = load(self._spark, call.snippet, dict(call.parameters), stack)
        except BaseException as error:  # noqa: BLE001 - whatever a snippet raises is its result
            with shielded():
                stack.close()
                failure = failure_of(error)
                lost = self._stopped() or self._jobs.settle(SETTLE_SECONDS) or self._check(self._reader.read())[1]
            return {
                "failure": self._gone if self._stopped() else failure,
                "lost": lost,
                "seconds": {"load": perf_counter() - begun},
            }
        loaded_at = perf_counter()
        measured = not body.get("unmeasured")
        if measured:
            self._metrics.mark()
        marked_at = perf_counter()
        if measured:
            if call.snippet.kind is not Kind.SQL:
                self._python.reset(own_process=call.snippet.kind is Kind.FUNCTION)
            self._pools.reset()
        self._current = Current(call, loaded, stack, measured)
        seconds = {
            "load": loaded_at - begun,
            "mark": marked_at - loaded_at,
            "reset_peaks": perf_counter() - marked_at,
        }
        return {"failure": None, "lost": None, "seconds": seconds}

    def run(self, body: Body) -> Body:
        """The timed part: the snippet's own code and the materialisation of what it gives, nothing else."""
        del body
        current = self._loaded()
        failure: Body | None = None
        built = ended = begun = perf_counter()
        try:
            result = current.loaded.compute()
            built = perf_counter()
            if current.loaded.gives_frame:
                materialise(result)
            ended = perf_counter()
            require_result(result, current.call.snippet, gives_frame=current.loaded.gives_frame)
        except BaseException as error:  # noqa: BLE001 - whatever a snippet raises is its result
            ended = perf_counter()
            with shielded():
                failure = failure_of(error)
        return {
            "failure": failure,
            "wall_seconds": ended - begun,
            "build_seconds": built - begun,
        }

    def write(self, body: Body) -> Body:
        """In the place of ``run``: the snippet's own code, and what it gives written to ``body["into"]``.

        The reply comes when all is written. With ``body["sort_keys"]`` it has those of a frame's plan.
        """
        current = self._loaded()
        failure: Body | None = None
        keys: list[str] = []
        try:
            result = current.loaded.compute()
            require_result(result, current.call.snippet, gives_frame=current.loaded.gives_frame)
            write_result(result, Path(body["into"]))
            if body["sort_keys"] and current.loaded.gives_frame:
                keys = [str(key) for key in sort_keys_of(result)]
        except BaseException as error:  # noqa: BLE001 - whatever a snippet raises is its result
            with shielded():
                failure = failure_of(error)
        return {"failure": failure, "sort_keys": keys}

    def settle(self, body: Body) -> Body:
        """Whether all tasks end within ``body["seconds"]``, after a run that was cut."""
        return {"settled": self._stopped() is not None or self._jobs.settle(body["seconds"]) is None}

    def after(self, body: Body) -> Body:
        """Peaks, Spark's metrics, and whether the snippet left something behind; puts the session in order.

        After a failed run (``body["failed"]``) first waits for tasks that have been cancelled to really end.
        """
        current = self._loaded()
        times = [perf_counter()]
        failure: Body | None = None
        lost = self._stopped()
        metrics: Metrics = {}
        if lost is None and body.get("failed"):
            lost = self._jobs.settle(SETTLE_SECONDS)
        times.append(perf_counter())
        memory = self._peaks(current)
        times.append(perf_counter())
        state = self._reader.read() if lost is None else None  # meanwhile Spark's listeners catch up
        times.append(perf_counter())
        if lost is None and current.measured:
            metrics = self._metrics.collect()
            if memory["python_workers_peak_bytes"] == 0 and metrics.keys() & PYTHON_METRICS:
                memory["python_workers_peak_bytes"] = None  # workers that were born and ended within the run
        times.append(perf_counter())
        if state is not None:
            failure, lost = self._check(state)
        elif self._stopped() is not None:
            failure = self._gone
        times.append(perf_counter())
        self._unload()
        times.append(perf_counter())
        stages = ("settle", "peaks", "isolation", "metrics", "restore", "unload")
        return {
            "memory": memory,
            "metrics": metrics,
            "failure": failure,
            "lost": lost,
            "seconds": {name: end - start for name, (start, end) in zip(stages, pairwise(times), strict=True)},
        }

    def _peaks(self, current: Current) -> dict[str, int | None]:
        """Peak memory since the snippet was loaded; nothing where that is not asked for."""
        if not current.measured:
            return {}
        if not self._whole:
            return {"jvm_pools_peak_bytes": None, "python_workers_peak_bytes": None}
        return {
            "jvm_pools_peak_bytes": self._pools.peak_bytes() if self._stopped() is None else None,
            # A statement cannot reach Python: there is nothing to guess from what idle workers do meanwhile.
            "python_workers_peak_bytes": 0 if current.call.snippet.kind is Kind.SQL else self._python.peak_bytes(),
        }

    def untimed(self, work: Callable[[SparkSession, SnippetCall, Loaded, Body], Body], body: Body) -> Body:
        """Load ``body["call"]`` and do ``work`` with it. Replies with the result or the failure."""
        self._unload()
        call = SnippetCall.from_wire(body["call"])
        self._begin(f"{call.snippet.name} (untimed)")
        result: Body | None = None
        failure: Body | None = None
        with ExitStack() as stack:
            try:
                loaded = load(self._spark, call.snippet, dict(call.parameters), stack)
                result = work(self._spark, call, loaded, body)
            except BaseException as error:  # noqa: BLE001 - whatever a snippet raises is its result
                with shielded():
                    failure = failure_of(error)
        with shielded():  # a time-out's interrupts go on until the reply: they must not tear this
            lost = self._stopped() or (self._jobs.settle(SETTLE_SECONDS) if failure else None)
            if lost is not None:
                return {"failure": self._gone if self._stopped() else failure, "lost": lost}
            left, lost = self._check(self._reader.read())
        return {"result": result, "failure": failure or left, "lost": lost}

    def profile(self, body: Body) -> Body:
        """Execute ``body["call"]`` untimed with its functions profiled. Replies with the result or the failure."""
        place = {"task_id": body["task_id"], "slot_id": body["slot_id"], "max_bytes": body["max_bytes"]}
        with self._profiler.profiled(Path(body["folder"]), **place):
            reply = self.untimed(untimed.once, body)
        return reply | {"lost_calls": self._profiler.lost_calls}

    def _begin(self, description: str) -> None:
        """A new request: its own job group, and the snippets' session active on this thread."""
        if not self._profiler.recording:
            self._profiler.end_workers()
        self._jobs.forget_connection()
        self._jobs.begin(description)
        self._context._jvm.org.apache.spark.sql.classic.SparkSession.setActiveSession(self._spark._jsparkSession)

    def _loaded(self) -> Current:
        if self._current is None:
            raise RuntimeError("no snippet is loaded: `load` comes before `run` and `after`")
        return self._current

    def _unload(self) -> None:
        if self._current is not None:
            self._current.stack.close()
            self._current = None

    def _stopped(self) -> str | None:
        """Why there is no usable Spark context any more, if there is none."""
        java = self._context._jsc
        if java is None or java.sc().isStopped():
            return self._gone["message"]
        return None

    def _check(self, found: State) -> tuple[Body | None, str | None]:
        """``(failure, lost)``: what the snippet left behind, now removed; why the session is lost, if it is."""
        try:
            check(self._reference, found)
        except RuleBroken as broken:
            return failure_of(broken), self._restore()
        return None, None

    def _restore(self) -> str | None:
        """Remove all that snippets may have left: caches, views, tables, settings. Why that failed, if it did."""
        try:
            self._views.forget()
            self._pristine.catalog.clearCache()
            persistent = self._context._jsc.getPersistentRDDs()
            for rdd_id in list(persistent):
                persistent[rdd_id].unpersist(True)
            shared = self._pristine._jsparkSession.sharedState()
            shared.globalTempViewManager().clear()
            external = shared.externalCatalog()
            for table in external.listTables("default").mkString("\n").splitlines():
                external.dropTable("default", table, True, True)
            if self._request is not None:
                self._views.ensure(self._request)
            self._clone()
        except Exception as error:  # noqa: BLE001 - whatever it is, a new session is the way out
            return f"the session could not be put in order again: {type(error).__name__}: {error}"
        return None

    def _clone(self) -> None:
        """A fresh clone of the pristine session for snippets, and the state that they must leave it in."""
        self._spark = SparkSession(self._context, self._pristine._jsparkSession.cloneSession())
        SparkSession._instantiatedSession = self._spark  # what the builder gives to a snippet that asks for a session
        self._reader = StateReader(self._spark, self._mapper)
        self._reference = self._reader.read()


def _formatted(context: Any) -> Any:
    return context._jvm.org.apache.spark.sql.execution.ExplainMode.fromString("formatted")
