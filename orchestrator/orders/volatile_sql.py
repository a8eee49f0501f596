"""Parts of a Spark SQL query that may give another result each time: LIMIT without ORDER BY, clocks, random."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from typing import Any

from orchestrator.orders.python_code import CodeProblem
from orchestrator.orders.sql_code import Places, tokens

CLOCKS = frozenset({"now", "curdate", "current_date", "current_time", "current_timestamp", "localtimestamp"})
_BARE_CLOCKS = frozenset({"current_date", "current_time", "current_timestamp", "localtimestamp"})
"""Clocks that need no parentheses."""
RANDOM = frozenset({"rand", "random", "randn", "randstr", "uniform", "uuid", "shuffle", "monotonically_increasing_id"})


def volatile_parts(text: str) -> Iterator[CodeProblem]:
    """What may differ from run to run, in the order of the text; nothing for a text that cannot be read."""
    read = tokens(text)
    if isinstance(read, CodeProblem):
        return
    places = Places(text)
    yield from merge(_limits(places, read), _calls(places, read), key=lambda problem: (problem.line, problem.column))


def _limits(places: Places, read: Sequence[Any]) -> Iterator[CodeProblem]:
    """LIMIT or OFFSET where no ORDER BY stands in the same query, at the same depth of parentheses."""
    from sqlglot.tokens import TokenType

    starts = {TokenType.SELECT, TokenType.UNION, TokenType.INTERSECT, TokenType.EXCEPT}
    ordered = [False]
    for token in read:
        if token.token_type is TokenType.L_PAREN:
            ordered.append(False)
        elif token.token_type is TokenType.R_PAREN and len(ordered) > 1:
            ordered.pop()
        elif token.token_type in starts:
            ordered[-1] = False
        elif token.token_type is TokenType.ORDER_BY:
            ordered[-1] = True
        elif token.token_type is TokenType.LIMIT and not ordered[-1]:
            yield CodeProblem(*places.of(token.start), "LIMIT without ORDER BY: which rows come is left to chance")
        elif token.token_type is TokenType.TABLE_SAMPLE:
            yield CodeProblem(*places.of(token.start), "TABLESAMPLE: which rows come is left to chance")


def _calls(places: Places, read: Sequence[Any]) -> Iterator[CodeProblem]:
    from sqlglot.tokens import TokenType

    for index, token in enumerate(read):
        name = token.text.lower()
        if name not in CLOCKS | RANDOM or token.token_type in {TokenType.STRING, TokenType.IDENTIFIER}:
            continue
        before = read[index - 1].token_type if index else None
        behind = read[index + 1].token_type if index + 1 < len(read) else None
        called = behind is TokenType.L_PAREN
        if before is TokenType.DOT or not (called or name in _BARE_CLOCKS):
            continue
        shown = f"{name}()" if called else name
        reason = "a clock: its value differs from run to run" if name in CLOCKS else "a random value"
        yield CodeProblem(*places.of(token.start), f"{shown} is {reason}")
