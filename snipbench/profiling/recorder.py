"""Where calls are recorded: a buffer per thread, to which its owner appends without a lock.

A call is five values of a flat list, ``function, call, parent, start, end``: an object kept for each call would cost
the collector of garbage more time than all else. ``function`` is its key, or where more was read the pair of the key
and ``(cpu, memory, arguments, keywords, returned, exception, active)``. Call numbers are unique within a process and
go on counting in a forked child, so a number also tells in which process the call began.
"""

from __future__ import annotations

import os
import threading
import weakref
from contextvars import ContextVar
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from snipbench.profiling import functions, resources
from snipbench.profiling.delivery import process
from snipbench.profiling.sinks import WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable

SPILL_EVERY = 4096
"""Calls of the process after which a thread hands its buffer to the sink; the bound of what one thread buffers."""

Call = tuple[int | tuple[int, tuple[Any, ...]], int, int, float, float]


class _Numbers(count):  # type: ignore[type-arg]
    """A wrapper pickled by value names it, and numbers its calls where it is restored as all are numbered there."""

    __slots__ = ()

    def __reduce__(self) -> str:
        return "ids"


ids = _Numbers(1)
"""Numbers of calls; 0 stands for "no call"."""
local = threading.local()
"""``local.state`` is the thread's :class:`ThreadState`; absent until :func:`new_state`."""
asynchronous = False
"""Whether any coroutine or generator was profiled in this process: only then is the context variable looked at."""
quick = threading.local()
"""The same as :data:`local` until then, and empty from then on: wrappers that look nowhere else notice by that."""
in_context: ContextVar[int] = ContextVar("snipbench_profile_call", default=0)
"""Call under way in this context of asyncio; tasks and ``to_thread`` inherit it."""


class _Life:
    """Kept by the thread alone: gone when the thread is."""

    __slots__ = ("__weakref__",)


class ThreadState:
    """One thread's buffer and the call under way in it."""

    __slots__ = ("current", "extend", "flush_at", "life", "records", "thread_id")

    def __init__(self, life: _Life) -> None:
        self.records: list[Any] = []
        self.extend: Callable[[Call], None] = self.records.extend
        self.current = 0
        self.flush_at = 0
        self.thread_id = threading.get_native_id()
        self.life = weakref.ref(life)

    def oldest(self) -> list[Any]:
        """The oldest of what is buffered; safe while the owner extends it."""
        return self.records[: SPILL_EVERY * WIDTH]

    def release(self, number: int) -> Callable[[], None]:
        """What takes the oldest ``number`` values away. It is C code all through: no signal's handler interrupts it."""
        return partial(self.records.__delitem__, slice(0, number))


def discard(call: Call) -> None:
    """Takes the place of ``extend`` while the profiler itself formats values: such calls are not the program's."""


def new_state() -> ThreadState:
    """Make the calling thread's state; the process's first one arms the flush at exit and in time."""
    found = quick  # before the question: this may be the one that was left behind meanwhile
    local.life = _Life()
    local.state = state = ThreadState(local.life)
    if not asynchronous:
        found.state = state
    state.flush_at = 0 if process.closing else next(ids) + SPILL_EVERY
    process.states.append(state)
    if not process.armed:
        process.arm()
    return state


def current_state() -> ThreadState:
    """The calling thread's state."""
    try:
        state: ThreadState = local.state
    except AttributeError:
        return new_state()
    return state


def turn_asynchronous() -> None:
    """From now on calls are looked for in contexts too."""
    global asynchronous, quick  # noqa: PLW0603
    if not asynchronous:
        asynchronous = True
        quick = threading.local()


def innermost(current: int) -> int:
    """The call that a new one belongs to: the later of the one on this thread and the one of this asyncio context."""
    return max(current, in_context.get())


def spill(state: ThreadState, call: int) -> None:
    """The thread's buffer is full: hand it to the sink. Never raises; what the sink refuses is counted as lost."""
    state.flush_at = 0 if process.closing else call + SPILL_EVERY
    if not process.armed:  # the first call in a forked child
        process.arm()
    if not process.forking:  # else it goes on recording without waiting
        process.deliver([state], give_way=True)


def _after_fork_in_child() -> None:
    """The child starts with empty buffers of its own; the parent keeps what it has."""
    functions.forked()
    resources.forked()
    state: ThreadState | None = getattr(local, "state", None)
    if state is not None:  # kept, since calls under way hold it; what they append is told apart by its number
        state.records.clear()
        state.flush_at = 0
        state.thread_id = threading.get_native_id()
    process.forked(next(ids), [] if state is None else [state])


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=process.before_fork, after_in_parent=process.after_fork, after_in_child=_after_fork_in_child
    )
