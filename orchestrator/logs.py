"""Structured logs of the services: one JSON object per line, with the ids it is about, without secrets."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

from snipbench.clock import to_text
from snipbench.redaction import Redactor, secret_values

FIELDS = (
    *("order_id", "task_id", "analysis_id", "assignment_id", "work", "experiment", "slot_id", "session_id"),
    *("method", "path", "route", "status", "seconds", "caller", "request_id"),
)
"""What a record may carry beside its message."""

_about: ContextVar[dict[str, str] | None] = ContextVar("about", default=None)


@contextmanager
def about(**ids: str) -> Iterator[None]:
    """A context in which every line of this thread carries these ids too, and those that are added on the way."""
    token = _about.set({**(_about.get() or {}), **ids})
    try:
        yield
    finally:
        _about.reset(token)


def add_to_about(**ids: str) -> None:
    """More ids for the context that this thread is in; nothing outside of any."""
    shared = _about.get()
    if shared is not None:
        shared.update(ids)


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
        shared = _about.get() or {}
        for name in FIELDS:
            value = getattr(record, name, shared.get(name))
            if value is not None:
                line[name] = self._redactor.text(value) if isinstance(value, str) else value
        if record.exc_info:
            line["exception"] = self._redactor.text(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def log_to(stream: TextIO = sys.stderr, secrets: Iterable[str] = (), level: int = logging.INFO) -> None:
    """Send all logs of this process to ``stream``; what the environment holds of secrets is kept out of them too."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines((*secrets, *secret_values(os.environ))))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in ("snipbench", "uvicorn.error"):
        logging.getLogger(name).setLevel(level)
