"""Samples as documents: one per reading of a target's counters.

Samples are read back in bulk by the landing, which takes the texts as they are; there is no way back to objects.
"""

from __future__ import annotations

from snipbench.domain.run import Counters
from snipbench.store.port import Document


def sample_to_document(
    counters: Counters, *, task_id: str, experiment: str, target: str, stream_id: str, sequence: int, source: str
) -> Document:
    """The document of one sample.

    Args:
        counters: what was read.
        task_id: task that is measured.
        experiment: experiment that is under way.
        target: ``executor`` or ``database:NAME``.
        stream_id: one start of the monitoring; counters are comparable within it.
        sequence: number of the sample in its stream and target, from 0.
        source: name of the source that read them.
    """
    return {
        "_id": f"{task_id}:{stream_id}:{target}:{sequence:09d}",
        "task_id": task_id,
        "experiment": experiment,
        "target": target,
        "stream_id": stream_id,
        "sequence": sequence,
        "source": source,
    } | counters.to_document()
