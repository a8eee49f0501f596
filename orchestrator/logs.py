"""Structured logs of the services: one JSON object per line, with the ids it is about, without secrets."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TextIO

from snipbench.clock import to_text
from snipbench.redaction import Redactor

FIELDS = (
    *("order_id", "task_id", "analysis_id", "work"),
    *("method", "path", "route", "status", "seconds", "caller", "request_id"),
)
"""What a record may carry beside its message."""


class JsonLines(logging.Formatter):
    """Formats a record as one line. Known secrets and what looks like one are taken out of every text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._redactor = Redactor(secrets)

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": to_text(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._redactor.text(record.getMessage()),
        }
        for name in FIELDS:
            value = getattr(record, name, None)
            if value is not None:
                line[name] = self._redactor.text(value) if isinstance(value, str) else value
        if record.exc_info:
            line["exception"] = self._redactor.text(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def log_to(stream: TextIO = sys.stderr, secrets: Iterable[str] = (), level: int = logging.INFO) -> None:
    """Send all logs of this process to ``stream``."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines(secrets))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in ("snipbench", "uvicorn.error"):
        logging.getLogger(name).setLevel(level)
