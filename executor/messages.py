"""Messages between the supervisor and its child: one JSON object per line, bounded.

Request ``{"id": int, "op": str, "body": {...}}``; reply ``{"id": int, "ok": true, "body": {...}}`` or ``{"id": int,
"ok": false, "error": {"kind": str, "message": str, "traceback": str}}``. ``{"id": int, "op": "cancel"}`` asks the child
to give up request ``id``; it has no reply of its own.

Lines rather than lengths: what is no message shows at once as a broken line instead of as a wrong length to wait for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from snipbench.errors import ProtocolError

MAX_MESSAGE_BYTES = 16 * 2**20
"""Longest message in either direction, its newline included."""

CHANNEL_VARIABLE = "SNIPBENCH_CHANNEL"
"""Environment variable that gives the child the number of its inherited socket."""

Message = dict[str, Any]


def encode(message: Mapping[str, object]) -> bytes:
    """Message -> line of bytes.

    Raises:
        ProtocolError: longer than :data:`MAX_MESSAGE_BYTES`.
        TypeError, ValueError: not expressible in JSON.
    """
    line = json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"
    if len(line) > MAX_MESSAGE_BYTES:
        msg = f"a message of {len(line):,} bytes is longer than the {MAX_MESSAGE_BYTES:,} that the channel takes"
        raise ProtocolError(msg)
    return line


class MessageBuffer:
    """Bytes as they arrive in, whole messages out."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._lines: list[bytes] = []

    @property
    def holds_any(self) -> bool:
        """Whether anything was fed that has not been taken."""
        return bool(self._lines or self._size)

    def feed(self, data: bytes) -> None:
        """Take bytes that arrived.

        Raises:
            ProtocolError: the message under way is longer than :data:`MAX_MESSAGE_BYTES`.
        """
        *ends, rest = data.split(b"\n")
        for end in ends:
            self._append(end)
            self._lines.append(b"".join(self._parts))
            self._parts, self._size = [], 0
        self._append(rest)

    def take(self) -> Message | None:
        """The next whole message, ``None`` while there is none.

        Raises:
            ProtocolError: the line is no JSON object.
        """
        if not self._lines:
            return None
        line = self._lines.pop(0)
        try:
            message = json.loads(line)
        except ValueError as error:
            msg = f"not a message on the channel: {line[:80]!r}"
            raise ProtocolError(msg) from error
        if not isinstance(message, dict):
            msg = f"not a message on the channel: {line[:80]!r}"
            raise ProtocolError(msg)
        return message

    def _append(self, part: bytes) -> None:
        self._size += len(part)
        if self._size >= MAX_MESSAGE_BYTES:
            msg = f"a message on the channel is longer than {MAX_MESSAGE_BYTES:,} bytes"
            raise ProtocolError(msg)
        self._parts.append(part)
