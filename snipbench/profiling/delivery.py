"""Taking buffered calls to the sink: when full, when asked, in time, at exit; and what changes at a fork.

Whoever delivers holds the one lock there is; the threads that record never wait for it unless their own buffer is full.
A fork waits for it too. What is imported only when needed is imported under it. The main thread does not deliver, but
waits for a thread that does: a signal's handler may raise there at any step, and what was taken would be lost.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable
from time import perf_counter, time
from typing import TYPE_CHECKING, Any

from snipbench import redaction
from snipbench.profiling.running_threads import is_main_thread, is_only_thread
from snipbench.profiling.sinks import WIDTH, Batch, Sink, default_sink

if TYPE_CHECKING:
    from _thread import LockType
    from types import FrameType

    from snipbench.profiling.arrivals import Arrivals
    from snipbench.profiling.recorder import ThreadState

Keep = Callable[[Batch, Callable[[], object]], None]
REFUSED = "refused by the sink"


class _Process:
    """This process's part in profiling; one instance, :data:`process`."""

    def __init__(self) -> None:
        self.states: list[ThreadState] = []
        self.closing = False
        """Exit functions run: each call is delivered by itself."""
        self.forking = False
        """A thread wants to fork: full buffers wait, since whoever comes back for the lock soonest would keep it."""
        self.armed = False
        """Whether the flush at exit and in time is seen to."""
        self.configured = False
        """Whether the host called ``configure``."""
        self.app_id: str | None = None
        self.task_id: str | None = None
        self.slot_id: str | None = None
        self.lost: dict[str, int] = {}
        """Calls that no sink has, by reason."""
        self._sink: Sink | None = None
        self._epochs: list[tuple[int, str]] = [(1, os.urandom(6).hex())]
        self._lock = threading.RLock()
        self._delivering = False
        self._deliverer: int | None = None
        self._ended_by: int | None = None
        """The signal that ended this process while it delivered."""
        self._exit_armed = False
        self._flushing = False
        """Whether a thread flushes in time."""
        self._refusal: Exception | None = None
        """The sink's first error, until it is told."""
        self._awaited: list[LockType] = []
        """What the main thread waits for: each is released when a delivery has ended."""
        self._arrivals: Arrivals | None = None
        self._forking_in_main = True
        self._ends_with_main = True
        """Whether the end of the main thread ends this process; one that another thread forked ends with its last."""

    # -- where calls go

    def sink(self) -> Sink:
        """The configured sink; else a directory sink where the environment names a folder; else a memory sink."""
        if self._sink is None:
            with self._lock:
                self._sink = self._sink or default_sink()
        return self._sink

    def use_sink(self, sink: Sink | None) -> None:
        """Deliver to ``sink`` from now on; null: to the default one."""
        with self._lock:
            self._sink = sink
        if self.armed:
            self._start_flusher()

    def application(self) -> str:
        """Id of this run of the program: configured, or from ``SNIPBENCH_APP_ID``, or made once and kept over forks."""
        if self.app_id is None:
            self.app_id = os.environ.get("SNIPBENCH_APP_ID") or f"app-{self._epochs[0][1]}"
        return self.app_id

    def carried(self) -> dict[str, Any] | None:
        """What a function pickled by value takes along; null unless calls go to a folder."""
        sink: Any = self.sink()
        folder = getattr(sink, "folder", None)
        if folder is None:
            return None
        return {
            "folder": str(folder),
            "max_bytes": getattr(sink, "max_bytes", None),
            "app_id": self.application(),
            "task_id": self._task_id(),
            "slot_id": self._slot_id(),
        }

    def adopt(self, carried: dict[str, Any]) -> None:
        """Work for the process that pickled a function; a process that was configured itself stays as it is."""
        if self.configured:
            return
        self.flush()
        if str(getattr(self._sink, "folder", "")) != carried["folder"]:
            from snipbench.profiling.directory import DirectorySink

            bound = {} if carried["max_bytes"] is None else {"max_bytes": carried["max_bytes"]}
            self.use_sink(DirectorySink(carried["folder"], **bound))
        self.app_id, self.task_id, self.slot_id = carried["app_id"], carried["task_id"], carried["slot_id"]

    def _task_id(self) -> str | None:
        return self.task_id if self.task_id is not None else os.environ.get("SNIPBENCH_TASK_ID")

    def _slot_id(self) -> str | None:
        return self.slot_id if self.slot_id is not None else os.environ.get("SNIPBENCH_SLOT_ID")

    # -- delivering

    def flush(self) -> Exception | None:
        """Deliver every thread's buffer; returns the sink's last error, whose calls are counted as lost."""
        return self.deliver(self.states.copy())

    def deliver(self, states: list[ThreadState], *, give_way: bool = False) -> Exception | None:
        """Deliver the buffers of ``states``; never raises, returns the sink's last error.

        ``give_way``: leave the rest for later once a thread wants to fork, which would otherwise wait behind every
        thread whose buffer is full.
        """
        if give_way and self._awaited and is_main_thread():  # a signal's handler, while its thread waits: that goes on
            return None
        keep: Keep | None = getattr(self.sink(), "keep", None)
        if not is_main_thread() or sys.is_finalizing() or self._lock._is_owned():  # type: ignore[attr-defined]
            failure = self._deliver(states, give_way)
        elif keep is not None:
            failure = None
            self._deliver_here(states, give_way, keep)
        else:
            failure = self._deliver_beside(states, give_way)
        if self._refusal is not None and not sys.is_finalizing():
            import warnings

            refusal, self._refusal = self._refusal, None
            warnings.warn(f"@snipbench.profile loses calls: {refusal!r}", RuntimeWarning, stacklevel=2)
        return failure

    def _deliver_beside(self, states: list[ThreadState], give_way: bool) -> Exception | None:
        failures: list[Exception | None] = []
        done = allocate_lock()
        done.acquire()

        def work() -> None:
            try:
                failures.append(self._deliver(states, give_way))
            finally:
                done.release()

        self._awaited.append(done)
        try:
            start_new_thread(work, ())
        except RuntimeError:  # there may be no more threads
            return self._deliver(states, give_way)
        else:
            done.acquire()
            return failures[0] if failures else None
        finally:
            self._awaited.remove(done)

    def _deliver_here(self, states: list[ThreadState], give_way: bool, keep: Keep) -> None:
        """Deliver on the main thread, whatever a signal's handler raises meanwhile: that passes through."""
        with self._lock:
            self._hand_over_all(states, give_way, keep)
        if self._ended_by is not None:
            self._end(self._ended_by)

    def _hand_over_all(self, states: list[ThreadState], give_way: bool, keep: Keep | None) -> Exception | None:
        """Deliver the buffers, under the lock."""
        if self._delivering:  # a signal's handler, or a sink whose own functions are profiled: the outer one goes on
            return None
        failure: Exception | None = None
        try:  # before anything is set: a handler may raise wherever something is called
            self._deliverer = threading.get_ident()
            self._delivering = True
            for state in states:
                failure = self._hand_over(state, give_way, keep) or failure
        finally:
            self._delivering = False
            self._deliverer = None
        return failure

    def _hand_over(self, state: ThreadState, give_way: bool, keep: Keep | None) -> Exception | None:
        """Deliver one thread's buffer."""
        failure: Exception | None = None
        ended = state.life() is None  # asked first: an ended thread records no more
        waiting = len(state.records)  # not what its owner adds meanwhile: that could go on for ever
        while waiting > 0 and not (give_way and self.forking):
            records = state.oldest()
            release = state.release(len(records))
            waiting -= len(records)
            batch = self._batch(state.thread_id, records)
            if batch is None:
                release()
            elif keep is not None:
                keep(batch, release)
            else:
                release()
                failure = self._write(batch) or failure
        if ended and not state.records and state in self.states:
            self.states.remove(state)
        return failure

    def _deliver(self, states: list[ThreadState], give_way: bool) -> Exception | None:
        # While the interpreter ends only one thread runs; another that has the lock would keep it for ever.
        locked = self._lock.acquire(blocking=not sys.is_finalizing())
        try:
            failure = self._hand_over_all(states, give_way, None)
        finally:
            if locked:
                self._lock.release()
        if self._ended_by is not None and is_main_thread():
            self._end(self._ended_by)
        return failure

    def _batch(self, thread_id: int, records: list[Any]) -> Batch | None:
        """Of those records that are this process's own; null where none is."""
        if len(self._epochs) > 1:  # calls under way at the fork end in both processes and belong to the parent
            first_own = self._epochs[-1][0]
            places = [place for place in range(0, len(records), WIDTH) if records[place + 1] >= first_own]
            records = [value for place in places for value in records[place : place + WIDTH]]
            if not records:
                return None
        return Batch(
            app_id=self.application(),
            process_id=os.getpid(),
            epochs=tuple(self._epochs),
            thread_id=thread_id,
            clock_offset=time() - perf_counter(),
            recursion_limit=sys.getrecursionlimit(),
            task_id=self._task_id(),
            slot_id=self._slot_id(),
            records=records,
        )

    def _write(self, batch: Batch) -> Exception | None:
        try:
            self.sink().write(batch)
        except Exception as error:  # noqa: BLE001 - a full disk must not end the measured program
            if REFUSED not in self.lost:
                self._refusal = error
            self.lost[REFUSED] = self.lost.get(REFUSED, 0) + batch.call_count
            return error
        return None

    # -- in time, at exit, after a fork

    def arm(self) -> None:
        """See to the flush at exit and in time; once per process, when its first call is recorded."""
        if sys.is_finalizing():  # a destructor calls: nothing can be started any more
            self.closing = self.armed = True
            return
        with self._lock:
            if self.armed:
                return
            redaction.load()
            if not self._exit_armed:  # a forked child inherits the exit function
                atexit.register(self.close)
                self._exit_armed = True
            self._arm_multiprocessing()
            self._start_flusher()
            self.armed = True

    def close(self) -> None:
        """Deliver everything, and from now on every call by itself: of other exit functions and of daemon threads."""
        self.closing = True
        for state in self.states.copy():
            state.flush_at = 0
        self.flush()

    def _start_flusher(self) -> None:
        interval = self.sink().flush_seconds
        with self._lock:
            if interval is None or self.closing or self._flushing:
                return
            try:  # not by `threading`: a signal's handler that raises while a thread is being started garbles its books
                start_new_thread(self._flush_in_time, ())
            except RuntimeError:  # the interpreter is ending: the flush at exit follows
                return
            self._flushing = True

    def _flush_in_time(self) -> None:
        pause = threading.Event()
        while not self.closing:
            interval = self.sink().flush_seconds
            with self._lock:
                if interval is None:
                    self._flushing = False
                    return
            pause.wait(interval)
            if self.closing:
                return
            if self._arrivals is not None:
                self._arrivals.insist(self._terminated)
            last = not self._ends_with_main and is_only_thread()
            self.deliver(self.states.copy(), give_way=True)
            if last:
                return

    def _arm_multiprocessing(self) -> None:
        # Children of multiprocessing end with os._exit: no exit function runs, but their own finalizers do.
        module = sys.modules.get("multiprocessing.process")
        if module is not None and module.parent_process() is not None:
            from multiprocessing.util import Finalize

            Finalize(None, self.close, exitpriority=0)
            self._arm_termination()

    def _arm_termination(self) -> None:
        # `with Pool() as pool` ends its workers by SIGTERM, which no finalizer sees. The program's own handler stays.
        import signal

        in_main = threading.current_thread() is threading.main_thread()  # only there can one be set
        if in_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._terminated)
            from snipbench.profiling.arrivals import Arrivals

            self._arrivals = Arrivals()

    def _terminated(self, number: int, frame: FrameType | None) -> None:
        """Signal handler: deliver, then end as if there were none."""
        import signal

        del frame
        signal.signal(number, signal.SIG_IGN)  # a pool may send it twice
        if self._delivering and self._deliverer == threading.get_ident():
            self._ended_by = number  # it goes on where it was interrupted, and ends then
            return
        self.flush()
        self._end(number)

    def _end(self, number: int) -> None:
        import signal

        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def before_fork(self) -> None:
        """Wait until no other thread delivers: what it imports for the first time would stay locked in the child."""
        self.forking = True
        self._lock.acquire()
        self._forking_in_main = is_main_thread()

    def after_fork(self) -> None:
        """In the parent."""
        self.forking = False
        self._lock.release()

    def forked(self, first_call: int, states: list[ThreadState]) -> None:
        """In a new child process: forget what is the parent's; calls from number ``first_call`` on are the child's."""
        self._lock = threading.RLock()
        self._delivering = False
        self._deliverer = None
        self.forking = False
        for done in self._awaited:  # a signal's handler forked while the main thread waited for what is not here
            if done.locked():
                done.release()
        self._ends_with_main = self._ends_with_main and self._forking_in_main
        self._flushing = False
        self.armed = False
        if self._arrivals is not None:
            self._arrivals.close()
            self._arrivals = None
        self.states = states
        self.lost = {}
        self._epochs.append((first_call, os.urandom(6).hex()))
        if self._sink is not None:
            self._sink.forked()
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.register_after_fork(self, _Process._arm_multiprocessing)


process = _Process()
