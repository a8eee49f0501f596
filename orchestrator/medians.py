"""What earlier tasks tell of how long an order's runs take."""

from __future__ import annotations

from pathlib import Path

from analyzer.outcome import task_outcome
from orchestrator.planning import Medians
from snipbench.store.sqlite import SqliteStore


def earlier_medians(store_file: Path, order_name: str) -> Medians:
    """Median wall seconds from the newest task of that order name; empty where there is none."""
    if not store_file.is_file():
        return {}
    store = SqliteStore(store_file)
    try:
        newest = next(store.find("tasks", {"order_name": order_name}, order_by=("-requested_at",), limit=1), None)
        if newest is None:
            return {}
        outcome = task_outcome(store, newest["_id"])
    finally:
        store.close()
    return {
        (experiment["name"], snippet["name"], tuple(sorted(snippet["parameters"].items()))): snippet["wall_seconds"][
            "median"
        ]
        for experiment in outcome["experiments"]
        for snippet in experiment["snippets"]
        if snippet["wall_seconds"]["median"] is not None
    }
