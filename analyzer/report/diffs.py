"""What a rewrite changes, as the unified difference of two texts."""

from __future__ import annotations

import difflib

from markupsafe import Markup, escape


def unified(before: str, after: str, names: tuple[str, str]) -> Markup:
    """The difference line by line, each line in a class: ``added``, ``removed``, ``hunk`` or ``kept``."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), *names, lineterm="")
    return Markup("").join(
        Markup(f'<span class="{_css(number, line)}">') + escape(line or " ") + Markup("</span>")
        for number, line in enumerate(lines)
    )


def _css(number: int, line: str) -> str:
    if number < 2 or line.startswith("@@"):
        return "hunk"
    return {"+": "added", "-": "removed"}.get(line[:1], "kept")
