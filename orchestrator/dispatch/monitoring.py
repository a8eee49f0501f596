"""What a monitor worker does: watch the targets of an assignment until whoever asked has seen enough."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from monitor.events import EventKind
from monitor.sampler import StreamId
from orchestrator.databases.ownership import Owner
from orchestrator.leading.stream import Stream
from orchestrator.leading.taking import Taken
from snipbench.clock import Clock, to_text
from snipbench.resources.port import Target
from snipbench.store.port import Document, DocumentStore

POLL_SECONDS = 0.1


def watch(store: DocumentStore, clock: Clock, spool: Path, hold: Taken) -> None:
    """Stream samples until the taken assignment is done or given up; a store that is away finds them below ``spool``.

    A process of another container, or another machine, cannot be watched from here: that is told as an event.

    Raises:
        SnipbenchError: the targets cannot be watched, or must not be any more.
    """
    for request in hold.requests():
        targets = [Target(**target) for target in request["targets"]]
        elsewhere = _elsewhere(targets, request["processes_of"])
        seen = [target for target in targets if target not in elsewhere]
        stream = _stream(store, clock, spool, hold.task_id, request, seen)
        stream.start()
        hold.say(named=stream.named or "nothing that can be seen from here")
        message, at = "its process is of another container or machine than the monitor", to_text(clock.now())
        told: list[list[str | None]] = [
            [EventKind.SOURCE_FAILED.value, target.name, message, at] for target in elsewhere
        ]
        try:
            while hold.wanted:
                clock.sleep(POLL_SECONDS)
        finally:
            streamed = stream.stop()
            told += [list(event) for event in streamed.events]
            hold.done(request, sentence=streamed.sentence, summary=streamed.summary, events=told)


def _elsewhere(targets: Sequence[Target], namespace: str) -> list[Target]:
    """Targets that are nothing but the number of a process, where numbers mean others."""
    if namespace == Owner.this_process("").namespace:
        return []
    return [target for target in targets if target.container_id is None and target.cgroup is None]


def _stream(
    store: DocumentStore, clock: Clock, spool: Path, task_id: str, request: Document, targets: Sequence[Target]
) -> Stream:
    identity = StreamId(task_id, request["experiment"], request["stream_id"])
    return Stream(store, clock, identity, request["source"], request["interval_seconds"], targets, spool)
