"""From a packed call to a full row of the table ``function_calls``."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from snipbench.profiling.sinks import WIDTH, functions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from snipbench.profiling.sinks import Batch


class CallRow(TypedDict):
    """One call. A value that was not read is null, never 0."""

    ingestion_date: date
    """Day (UTC) on which the row was made from the record."""
    thread_id: int
    """The system's id of the thread in which the call ended."""
    process_id: int
    unique_app_id: str
    """Id of one run of the program; shared by its processes."""
    class_name: str | None
    """Class that defines the method; null for a function."""
    function_name: str
    execution_time: float
    """Seconds by a monotonic clock. Coroutine: start to end, waiting included. Generator: only while it ran."""
    start_time: datetime
    """UTC, microseconds."""
    end_time: datetime
    """UTC, microseconds."""
    memory_usage: int | None
    """Growth in bytes of the process's resident memory during the call, other threads' included; may be negative."""
    cpu_usage: float | None
    """Seconds of CPU time of the calling thread during the call; coroutines and generators: of their own steps only."""
    recursion_limit: int
    """The interpreter's limit when the call was flushed."""
    arguments: str | None
    """Positional arguments as text, bounded and redacted; null where the call was not observed in full."""
    keyword_arguments: str | None
    return_value: str | None
    """Null also where the call raised."""
    source_code_compressed: bytes | None
    """zlib-compressed UTF-8 source; null where there is none to be had."""
    source_code_md5_hash: str | None
    """MD5, hexadecimal, of the uncompressed source."""
    call_id: str
    """Unique over processes."""
    parent_id: str | None
    """``call_id`` of the profiled call that made this one: on the same thread, or by the context of asyncio."""
    exception: str | None
    """``Type: message`` of the exception that ended the call, bounded and redacted."""
    task_id: str | None
    slot_id: str | None


COLUMNS: tuple[str, ...] = tuple(CallRow.__annotations__)
"""Columns of ``function_calls``, in order."""
THREAD_ZEPPELIN_COLUMNS: tuple[str, ...] = COLUMNS[:17]
"""The first 17, as published."""


class Facts(Protocol):
    """What is known of a function; see :class:`~snipbench.profiling.functions.FunctionFacts`."""

    class_name: str | None
    function_name: str

    @property
    def source(self) -> tuple[bytes | None, str | None]:
        """Compressed source and MD5."""
        ...


_NOTHING: tuple[None, ...] = (None,) * 7


def to_rows(batch: Batch, records: list[Any], facts_of: Callable[[int], Facts]) -> Iterator[CallRow]:
    """Full rows of the packed ``records`` of ``batch``.

    Args:
        batch: what the calls share.
        records: the calls, as a batch has them.
        facts_of: function key -> what is known of the function.
    """
    today = datetime.now(UTC).date()
    first_numbers = [first for first, _ in batch.epochs]

    def call_name(number: int) -> str | None:
        return f"{batch.epochs[bisect_right(first_numbers, number) - 1][1]}-{number}" if number else None

    keys, observed = functions_of(records)
    for place, (_, call, parent, start, end) in enumerate(zip(*[iter(records)] * WIDTH, strict=True)):
        cpu, memory, arguments, keywords, returned, exception, active = observed.get(place, _NOTHING)
        facts = facts_of(keys[place])
        compressed, md5 = facts.source
        yield CallRow(
            ingestion_date=today,
            thread_id=batch.thread_id,
            process_id=batch.process_id,
            unique_app_id=batch.app_id,
            class_name=facts.class_name,
            function_name=facts.function_name,
            execution_time=end - start if active is None else active,
            start_time=datetime.fromtimestamp(start + batch.clock_offset, UTC),
            end_time=datetime.fromtimestamp(end + batch.clock_offset, UTC),
            memory_usage=memory,
            cpu_usage=cpu,
            recursion_limit=batch.recursion_limit,
            arguments=arguments,
            keyword_arguments=keywords,
            return_value=returned,
            source_code_compressed=compressed,
            source_code_md5_hash=md5,
            call_id=call_name(call) or "",
            parent_id=call_name(parent),
            exception=exception,
            task_id=batch.task_id,
            slot_id=batch.slot_id,
        )
