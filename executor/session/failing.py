"""What a snippet raised -> the failure that is recorded, with the user's own lines first."""

from __future__ import annotations

import re
import traceback
from typing import Any

from py4j.protocol import Py4JJavaError

from executor.session.rules import RuleBroken

MAX_CHARACTERS = 8000
OURS = re.compile(r"/(executor/session|pyspark|py4j)/|^<frozen |/contextlib\.py$")


def failure_of(error: BaseException) -> dict[str, Any]:
    """Plain values of a ``Failure``: kind, message, traceback, each bounded.

    An error that a Python worker raised gets the name and message it had there; one of the JVM those of its root cause.
    """
    if isinstance(error, RuleBroken):
        return {"kind": error.kind, "message": error.message[:MAX_CHARACTERS], "traceback": ""}
    text = _text(error)
    if type(error).__name__ == "PythonException" and (found := _worker_error(text)) is not None:
        kind, message, trace = found
        return {"kind": kind, "message": message[:MAX_CHARACTERS], "traceback": trace[-MAX_CHARACTERS:]}
    if isinstance(error, Py4JJavaError):
        kind, message = _root_cause(error.java_exception)
        return {"kind": kind, "message": message[:MAX_CHARACTERS], "traceback": text[:MAX_CHARACTERS]}
    return {
        "kind": type(error).__name__,
        "message": text[:MAX_CHARACTERS],
        "traceback": _user_traceback(error)[-MAX_CHARACTERS:],
    }


def _worker_error(text: str) -> tuple[str, str, str] | None:
    """``(name, message, traceback)`` of the error in a Python worker, from Spark's account of it."""
    start = text.find("Traceback (most recent call last):")
    if start < 0:
        return None
    trace = re.split(r"\n\s*\n|\n\tat ", text[start:], maxsplit=1)[0].rstrip()
    # The last line that is not indented begins the message, which may go on over further lines.
    for position in range(len(lines := trace.splitlines()) - 1, 0, -1):
        match = re.match(r"(?:[\w.]*\.)?([A-Z]\w*)(?:: (.*))?$", lines[position])
        if match:
            rest = "\n".join([match.group(2) or "", *lines[position + 1 :]]).strip()
            return match.group(1), rest, trace
    return None


def _root_cause(java: Any) -> tuple[str, str]:
    """``(name, message)`` of the exception of the JVM that all others come from."""
    while (cause := java.getCause()) is not None:
        java = cause
    return str(java.getClass().getSimpleName()), str(java.getMessage())


def _user_traceback(error: BaseException) -> str:
    """The traceback without our own and Spark's frames, unless nothing else is left."""
    summary = traceback.TracebackException.from_exception(error, limit=None)
    theirs = [frame for frame in summary.stack if not OURS.search(frame.filename)]
    if theirs or isinstance(error, SyntaxError):  # a syntax error names its place itself
        summary.stack = traceback.StackSummary.from_list(theirs)
        summary.__cause__ = summary.__context__ = None
    return "".join(summary.format())


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as second:  # noqa: BLE001 - a snippet's own __str__ may fail
        return f"(no message: its __str__ raised {type(second).__name__})"
