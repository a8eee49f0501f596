"""What a host calls: where calls go, to what they belong, when they are handed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snipbench import redaction
from snipbench.profiling.delivery import process
from snipbench.profiling.sinks import MemorySink

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import EllipsisType

    from snipbench.profiling.rows import CallRow
    from snipbench.profiling.sinks import Sink


def configure(
    *,
    sink: Sink | EllipsisType | None = ...,
    task_id: str | EllipsisType | None = ...,
    slot_id: str | EllipsisType | None = ...,
    app_id: str | EllipsisType = ...,
    secrets: Iterable[str] | EllipsisType = ...,
) -> None:
    """Set what holds for all calls that end from now on; an argument left out stays as it is.

    What is buffered goes to the present sink first, under the present task and slot. A profiled function that
    is pickled by value (as Spark does with a UDF) while a directory sink is configured takes folder, task and slot
    along to a process that was not configured itself.

    Args:
        sink: takes the calls; ``None``: a directory sink where ``SNIPBENCH_PROFILE_DIR`` names a folder, else a
            memory sink.
        task_id: recorded with each call; ``None``: what ``SNIPBENCH_TASK_ID`` says, else null.
        slot_id: recorded with each call; ``None``: what ``SNIPBENCH_SLOT_ID`` says, else null.
        app_id: recorded as ``unique_app_id``; otherwise ``SNIPBENCH_APP_ID``, else made once per program.
        secrets: values hidden in every text and source from now on, in place of those set before.

    Raises:
        ProfileError: the present sink refused what was buffered (counted in :func:`lost_calls`); nothing was changed.
    """
    flush()
    process.configured = True
    if secrets is not ...:
        redaction.set_values(secrets)
    if task_id is not ...:
        process.task_id = task_id
    if slot_id is not ...:
        process.slot_id = slot_id
    if app_id is not ...:
        process.app_id = app_id
    if sink is not ...:
        process.use_sink(sink)


def flush() -> None:
    """Hand every thread's buffered calls to the sink. Needed before ``os._exit`` only; otherwise exit sees to it.

    Raises:
        ProfileError: the sink refused some; they are counted in :func:`lost_calls`.
    """
    error = process.flush()
    if error is not None:
        from snipbench.errors import ProfileError

        raise ProfileError(f"the sink of @snipbench.profile refused calls: {error}") from error


def drain() -> list[CallRow]:
    """Flush, then take every row out of the memory sink.

    Raises:
        ProfileError: another kind of sink is configured; its rows are read where it keeps them.
    """
    flush()
    sink = process.sink()
    if not isinstance(sink, MemorySink):
        from snipbench.errors import ProfileError

        raise ProfileError(
            f"drain() reads the memory sink; configured is {type(sink).__name__}: read what it wrote instead"
        )
    return sink.take()


def lost_calls() -> dict[str, int]:
    """Calls of this process that were recorded and that no sink has, by reason; empty when none was lost."""
    lost = dict(process.lost)
    overflow = getattr(process.sink(), "overflow_calls", 0)
    if overflow:
        lost["the sink was full"] = overflow
    return lost
