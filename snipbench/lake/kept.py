"""Kept queries: SQL files of the package, with a description and defaults in their first lines.

::

    -- Functions that took the most time in all
    -- :n = 10
    select …
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from snipbench.errors import UsageError

_DEFAULT = re.compile(r"^-- :(?P<name>\w+) = (?P<value>.+)$")


@dataclass(frozen=True, slots=True)
class KeptQuery:
    """A query by name; ``defaults`` gives its parameters with the values that they take when none is given."""

    name: str
    description: str
    defaults: dict[str, int | float | str | bool]
    sql: str


@cache
def kept_queries() -> dict[str, KeptQuery]:
    """All kept queries by name."""
    files = sorted(resources.files("snipbench.lake").joinpath("queries").iterdir(), key=lambda file: file.name)
    found = [_parsed(file.name.removesuffix(".sql"), file.read_text("utf-8")) for file in files]
    return {kept.name: kept for kept in found}


def kept_query(name: str) -> KeptQuery:
    """The kept query of that name.

    Raises:
        UsageError: there is none; the message lists those there are.
    """
    queries = kept_queries()
    if name not in queries:
        raise UsageError(f"there is no kept query {name!r}; there are {', '.join(queries)}")
    return queries[name]


def _parsed(name: str, text: str) -> KeptQuery:
    first, *rest = text.splitlines()
    defaults = {found["name"]: json.loads(found["value"]) for line in rest if (found := _DEFAULT.match(line))}
    return KeptQuery(name, first.removeprefix("-- "), defaults, text)
