"""The folder that names in an order are relative to: its file's own, or one made of what came along with it."""

from __future__ import annotations

import os
from pathlib import Path

from orchestrator.leading.parts import Home
from snipbench.domain.task import OrderRecord
from snipbench.errors import StoreError


def order_folder(record: OrderRecord, home: Home) -> Path:
    """The order's folder on this machine. For a submitted order it is made below ``home``; again gives the same.

    Raises:
        StoreError: a file's name leads out of the folder (the reader of orders lets none pass).
    """
    if record.source is None:
        return Path(record.file).parent
    folder = (home.orders / record.order_id).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in record.files:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder) or path == folder:
            raise StoreError(f"order {record.order_id}: file {name!r} leads out of the order's folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    return folder
