"""Content hashes and ids: the same content has the same name everywhere."""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import datetime
from typing import Any

from snipbench.clock import to_text


def canonical_json(value: Any) -> str:
    """Value -> JSON text with sorted keys and no spaces; equal values give equal text.

    Raises:
        ValueError: NaN or an infinity, which JSON has not.
        TypeError: a value JSON has not.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_hash(value: Any, *, length: int = 64) -> str:
    """Leading ``length`` hexadecimal digits of the SHA-256 of the value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:length]


def new_id(prefix: str, instant: datetime) -> str:
    """A fresh id that sorts by time: ``task-20260131-090000-1f3a9c``."""
    stamp = to_text(instant)[:19].replace("-", "").replace(":", "").replace("T", "-")
    return f"{prefix}-{stamp}-{secrets.token_hex(3)}"
