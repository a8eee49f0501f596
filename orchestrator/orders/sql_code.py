"""Looking at a Spark SQL query without running it. Only what is sure is reported: sqlglot does not know every
form that Spark takes."""

from __future__ import annotations

import bisect
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

from orchestrator.orders.mistakes import hint
from orchestrator.orders.python_code import CodeProblem

MAX_PARSED = 50_000
"""Characters of a query of which a tree is made; sqlglot takes some ten microseconds for each."""
_STARTS = ("SELECT", "WITH", "FROM", "VALUES", "TABLE", "(")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A ``:name`` in a query and where it stands, counting from 1."""

    name: str
    line: int
    column: int


Tokens = list[Any] | CodeProblem
"""sqlglot's tokens of a query, or what keeps it from being read."""


def tokens(text: str) -> Tokens:
    """Of the query. They take longer than all that is done with them: make them once."""
    import sqlglot
    from sqlglot.errors import TokenError

    try:
        return list(sqlglot.tokenize(text, dialect="spark"))
    except TokenError as error:
        return CodeProblem(1, 1, f"SQL cannot be read: {error.__cause__ or error}")


def query_problem(text: str, read: Tokens) -> CodeProblem | None:
    """Why the text, of which these are the tokens, is not one query, where that is sure."""
    from sqlglot.tokens import TokenType

    if isinstance(read, CodeProblem):
        return read
    count = len(read)
    while count and read[count - 1].token_type is TokenType.SEMICOLON:
        count -= 1
    if not count:
        return CodeProblem(1, 1, "there is no statement here, only comments")
    first = read[0]
    if first.text.upper() not in _STARTS:
        return place_in(text, first.start, f"{first.text!r} starts no query{hint(first.text, _STARTS)}")
    depth: list[Any] = []
    for token in islice(read, count):
        if token.token_type is TokenType.SEMICOLON:
            return place_in(text, token.start, "a second statement; a snippet is one statement")
        if token.token_type is TokenType.L_PAREN:
            depth.append(token)
        elif token.token_type is TokenType.R_PAREN:
            if not depth:
                return place_in(text, token.start, "')' closes nothing")
            depth.pop()
    return place_in(text, depth[-1].start, "'(' is never closed") if depth else None


def placeholders(text: str, read: Tokens) -> tuple[Placeholder, ...]:
    """All ``:name`` of the query of these tokens. ``a::int`` and the ``a:int`` of a struct type are none."""
    from sqlglot.tokens import TokenType

    if isinstance(read, CodeProblem):
        return ()
    found = []
    places = Places(text)
    for colon, name in pairwise(read):
        apart = colon.start == 0 or not (text[colon.start - 1].isalnum() or text[colon.start - 1] in "_:`")
        word = name.text
        if colon.token_type is TokenType.COLON and apart and name.start == colon.end + 1 and word.isidentifier():
            found.append(Placeholder(word, *places.of(colon.start)))
    return tuple(found)


def parsed(text: str) -> Any | None:
    """sqlglot's tree of the query; ``None`` where sqlglot cannot read it, which says nothing about Spark, or would take
    seconds for it."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    if len(text) > MAX_PARSED:
        return None
    try:
        return sqlglot.parse_one(text, dialect="spark")
    except (SqlglotError, RecursionError):
        return None


def unknown_views(text: str, views: Sequence[str]) -> Iterator[CodeProblem]:
    """Unqualified names behind FROM and JOIN that are neither views of the experiment nor named by WITH."""
    from sqlglot import exp

    tree = parsed(text)
    if tree is None:
        return
    places = Places(text)
    known = {view.lower() for view in views} | {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        name = table.this
        if not isinstance(name, exp.Identifier) or table.db or name.name.lower() in known:
            continue
        yield CodeProblem(
            *places.of(name.meta.get("start", 0)),
            f"{name.name!r} is no table of the experiment{hint(name.name, views, what='tables')}",
        )


def column_count(text: str) -> int | None:
    """How many columns the query gives; ``None`` where that is not sure."""
    from sqlglot import exp

    tree = parsed(text)
    if not isinstance(tree, exp.Select) or not tree.expressions:
        return None
    # Generators such as inline() or stack() give several columns, so only forms that surely give one are counted.
    sure = (exp.Column, exp.Cast, exp.Literal, exp.Binary, exp.Paren, exp.Case)
    for column in tree.expressions:
        if column.is_star or not isinstance(column.unalias(), sure):
            return None
    return len(tree.expressions)


class Places:
    """Lines and columns of a text's characters, both counted from 1."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(index + 1 for index, character in enumerate(text) if character == "\n")]

    def of(self, index: int) -> tuple[int, int]:
        """Of the character ``index``."""
        line = bisect.bisect_right(self._starts, index)
        return line, index - self._starts[line - 1] + 1


def place_in(text: str, start: int, message: str) -> CodeProblem:
    """The message at the line and column of the text's character ``start``."""
    return CodeProblem(*Places(text).of(start), message)
