"""What ``submit`` sends: an order with the files that it names, or a link."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.orders import read_order
from snipbench.domain.order import SqlFile
from snipbench.errors import UsageError


def order_of(path: Path, overrides: Mapping[str, int | None]) -> dict[str, Any]:
    """An order file, checked here already, with the texts of the files that it names.

    Raises:
        OrderError: the order has mistakes.
        UsageError: it cannot be read, or names what cannot be sent.
    """
    loaded = read_order(path, **overrides)
    files = dict(loaded.files)
    for database in loaded.order.databases:
        if isinstance(database.dataset, SqlFile):
            files[database.dataset.sql] = _read(path.parent / database.dataset.sql)
    return {"order": loaded.text, "file_name": path.name, "files": files}


def link_of(text: str, *, ref: str, sha256: str | None) -> dict[str, Any]:
    """``https://…`` or ``gitlab:PROJECT:PATH`` as the API wants it.

    Raises:
        UsageError: it is neither.
    """
    if not text.startswith("gitlab:"):
        return {"kind": "http", "url": text, **({"sha256": sha256} if sha256 else {})}
    project, _, path = text.removeprefix("gitlab:").partition(":")
    if not project or not path:
        raise UsageError(f"{text!r}: write gitlab:PROJECT:PATH, as in gitlab:data/experiments:orders/add-one.yaml")
    return {"kind": "gitlab", "project": project, "path": path, "ref": ref}


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"file {str(path)!r} cannot be sent: {error}") from error
