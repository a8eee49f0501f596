"""Rows of the table ``functions``: what profile passes found."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.landing.arrow import Row
from snipbench.records import parameters_to_text, profile_from_document
from snipbench.store.port import DocumentStore


def functions(store: DocumentStore, task_id: str) -> Iterator[Row]:
    """A row per function of each point that was profiled."""
    for document in store.find("profiles", {"task_id": task_id}):
        profile = profile_from_document(document)
        whole = profile.own_seconds
        for found in profile.functions:
            yield {
                "task_id": task_id,
                "slot_id": profile.slot_id,
                "experiment": profile.experiment,
                "snippet": profile.snippet,
                "parameters": parameters_to_text(profile.parameters),
                "class_name": found.class_name,
                "function_name": found.function_name,
                "source_code_md5_hash": found.source_md5,
                "calls": found.calls,
                "uncounted_calls": found.uncounted_calls,
                "own_seconds": found.own_seconds,
                "total_seconds": found.total_seconds,
                "share_of_own_time": found.own_seconds / whole if whole > 0 else None,
                "mean_seconds": found.mean_seconds,
                "median_seconds": found.median_seconds,
                "p95_seconds": found.p95_seconds,
                "longest_seconds": found.longest_seconds,
                "observed_calls": found.observed_calls,
                "observed_seconds": found.observed_seconds,
                "cpu_seconds": found.cpu_seconds,
                "memory_growth_bytes": found.memory_growth_bytes,
                "exceptions": found.exceptions,
            }
