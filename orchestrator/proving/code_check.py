"""What an order's parser would say of a candidate's code."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.orders import python_code, sql_code
from snipbench.domain.order import Experiment, Kind, Snippet


def problems(experiment: Experiment, candidate: Snippet) -> tuple[str, ...]:
    """Mistakes that are sure without running it; empty if there are none."""
    found = _sql(experiment, candidate) if candidate.kind is Kind.SQL else _python(experiment, candidate)
    return tuple(f"line {problem.line}: {problem.message}" for problem in found)


def _sql(experiment: Experiment, candidate: Snippet) -> Iterator[python_code.CodeProblem]:
    read = sql_code.tokens(candidate.code)
    problem = sql_code.query_problem(candidate.code, read)
    if problem is not None:
        yield problem
        return
    for item in sql_code.placeholders(candidate.code, read):
        if item.name not in experiment.parameters:
            yield python_code.CodeProblem(item.line, item.column, f"':{item.name}' is no parameter of the experiment")
    yield from sql_code.unknown_views(candidate.code, [table.name for table in experiment.tables])


def _python(experiment: Experiment, candidate: Snippet) -> Iterator[python_code.CodeProblem]:
    module = python_code.parse_python(candidate.code)
    if isinstance(module, python_code.CodeProblem):
        yield module
        return
    signature = python_code.entry_of(module, candidate.entry)
    if isinstance(signature, python_code.CodeProblem):
        yield signature
    elif signature is None:
        yield python_code.CodeProblem(1, 1, f"{candidate.entry!r} is not defined by a plain def")
    elif candidate.kind.is_udf:
        columns = None if candidate.input is None else sql_code.column_count(candidate.input)
        problem = None if columns is None else python_code.column_problem(signature, candidate.entry, columns)
        if problem is not None:
            yield problem
    else:
        leading = _LEADING.get(candidate.kind, 1) if candidate.kind is not Kind.FUNCTION else int(bool(candidate.input))
        yield from python_code.keyword_problems(signature, candidate.entry, leading, tuple(experiment.parameters))


_LEADING = {Kind.BARRIER: 2}
"""Positional values that an entry gets before the parameters by name; of the others one."""
