"""Hashing files that a dataset is made of."""

from __future__ import annotations

import hashlib
from pathlib import Path

from snipbench.errors import DatasetError


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content.

    Raises:
        DatasetError: it is not a readable file.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DatasetError(f"the dataset's file {path} cannot be read: {error.strerror}") from error
