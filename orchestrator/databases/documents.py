"""Reference databases as JSON, for the file beside a clone and for whoever serves the port to another process.

A document of a :class:`ReferenceDatabase` holds the passwords of its roles: it belongs into a file that nobody else
may read, or onto a connection that asks for a token; never into the document store.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from orchestrator.databases.port import Connection, Prototype, ReferenceDatabase
from snipbench.resources.port import Target

Document = dict[str, Any]


def prototype_to_document(prototype: Prototype) -> Document:
    """Prototype -> JSON."""
    return {
        "prototype_key": prototype.prototype_key,
        "dataset_hash": prototype.dataset_hash,
        "directory": str(prototype.directory),
        "manifest_hash": prototype.manifest_hash,
        "server_version": prototype.server_version,
        "bytes": prototype.bytes,
        "built": prototype.built,
        "dataset": prototype.dataset,
        "database": prototype.database,
        "table_bytes": dict(prototype.table_bytes),
    }


def prototype_from_document(document: Document) -> Prototype:
    """Inverse of :func:`prototype_to_document`. KeyError or TypeError for what is none."""
    return Prototype(**{**document, "directory": Path(document["directory"])})


def database_to_document(database: ReferenceDatabase) -> Document:
    """Reference database -> JSON, passwords included."""
    return {
        "clone_id": database.clone_id,
        "prototype": prototype_to_document(database.prototype),
        "strategy": database.strategy,
        "strategy_reason": database.strategy_reason,
        "run": asdict(database.run),
        "admin": asdict(database.admin),
        "target": asdict(database.target),
        "server_version": database.server_version,
        "settings": dict(database.settings),
        "ignored": list(database.ignored),
        "clone_seconds": database.clone_seconds,
        "start_seconds": database.start_seconds,
        "touch_seconds": database.touch_seconds,
        "image": database.image,
    }


def database_from_document(document: Document) -> ReferenceDatabase:
    """Inverse of :func:`database_to_document`. KeyError or TypeError for what is none."""
    return ReferenceDatabase(
        **{
            **document,
            "prototype": prototype_from_document(document["prototype"]),
            "run": Connection(**document["run"]),
            "admin": Connection(**document["admin"]),
            "target": Target(**document["target"]),
            "settings": tuple(document["settings"].items()),
            "ignored": tuple(document["ignored"]),
        }
    )
