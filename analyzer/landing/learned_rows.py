"""Rows of the tables that say what was learned: features, models, predictions, suggestions, verifications.

Read as their analyses left them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from analyzer.landing.arrow import Row
from analyzer.landing.received_rows import instant
from analyzer.proof.documents import SUGGESTIONS, VERIFICATIONS
from snipbench.lake.columns import Table
from snipbench.lake.tables import TABLES
from snipbench.store.port import Document, DocumentStore


def features(store: DocumentStore, task_id: str) -> Iterator[Row]:
    """A row per feature of each snippet, parameter point and analysis."""
    for document in store.find("features", {"task_id": task_id}):
        place = {name: value for name, value in document.items() if name not in {"_id", "version", "features"}}
        for name, value in sorted(json.loads(document["features"]).items()):
            word = value if isinstance(value, str) else None
            number = None if word is not None or value is None else float(value)
            yield place | {"feature": name, "value": number, "category": word}


def models(store: DocumentStore, task_id: str) -> Iterator[Row]:
    """A row per analysis: its model, or why there is none."""
    for document in store.find("models", {"task_id": task_id}):
        yield _columns(TABLES["models"], document) | {"trained_at": instant(document["trained_at"])}


def predictions(store: DocumentStore, task_id: str) -> Iterator[Row]:
    """A row per snippet and parameter point that a model judged while its template was held out."""
    for document in store.find("predictions", {"task_id": task_id}):
        yield _columns(TABLES["predictions"], document)


def suggestions(store: DocumentStore, task_id: str) -> Iterator[Row]:
    """A row per proposal of an advisor."""
    for document in store.find(SUGGESTIONS, {"task_id": task_id}):
        yield _columns(TABLES["suggestions"], document) | {"created_at": instant(document["created_at"])}


def verifications(store: DocumentStore, task_id: str) -> Iterator[Row]:
    """A row per step of a proof."""
    for document in store.find(VERIFICATIONS, {"task_id": task_id}):
        times = {name: instant(document[name]) for name in ("started_at", "ended_at")}
        yield _columns(TABLES["verifications"], document) | times


def _columns(table: Table, document: Document) -> dict[str, Any]:
    return {name: document[name] for name in table.column_names}
