"""Looking at Python code without running it: does it parse, which function is the entry, what does it take."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CodeProblem:
    """Something surely wrong at a line and column of the code, counting from 1."""

    line: int
    column: int
    message: str


@dataclass(frozen=True, slots=True)
class MissingEntry(CodeProblem):
    """The code defines no such function."""


@dataclass(frozen=True, slots=True)
class EntrySignature:
    """What the entry takes, as far as its ``def`` tells."""

    line: int
    column: int
    positional: tuple[str, ...]
    positional_required: int
    keyword_only: tuple[str, ...]
    keyword_only_required: tuple[str, ...]
    any_positional: bool
    any_keyword: bool


def parse_python(text: str) -> ast.Module | CodeProblem:
    """The module's tree, or the syntax error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        return CodeProblem(error.lineno or 1, max(error.offset or 1, 1), f"Python cannot read this: {error.msg}")
    except (ValueError, RecursionError, MemoryError) as error:
        return CodeProblem(1, 1, f"Python cannot read this: {error or 'it is nested too deeply'}")


def entry_of(module: ast.Module, entry: str) -> EntrySignature | CodeProblem | None:
    """The entry's signature; ``None`` where it is defined in a way that tells no signature (import, assignment)."""
    names: list[str] = []
    found: EntrySignature | CodeProblem | None = None
    known = False
    for statement in _statements(module.body):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(statement.name)
            if statement.name == entry:
                known, found = True, _definition(statement)
        elif isinstance(statement, ast.ImportFrom | ast.Import):
            bound = [alias.asname or alias.name.split(".")[0] for alias in statement.names]
            if entry in bound or "*" in bound:
                known, found = True, None
        else:
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == entry:
                    known, found = True, None
    if known:
        return found
    from orchestrator.orders.mistakes import hint

    return MissingEntry(1, 1, f"no function {entry!r} is defined here{hint(entry, names, what='defined')}")


def _definition(
    statement: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef,
) -> EntrySignature | CodeProblem | None:
    place = (statement.lineno, statement.col_offset + 1)
    if isinstance(statement, ast.ClassDef):
        return None
    if isinstance(statement, ast.AsyncFunctionDef):
        return CodeProblem(*place, f"{statement.name!r} is an async function; an entry is a plain one")
    if statement.decorator_list:
        return None  # a decorator may change what the function takes
    arguments = statement.args
    positional = tuple(argument.arg for argument in (*arguments.posonlyargs, *arguments.args))
    return EntrySignature(
        *place,
        positional=positional,
        positional_required=len(positional) - len(arguments.defaults),
        keyword_only=tuple(argument.arg for argument in arguments.kwonlyargs),
        keyword_only_required=tuple(
            argument.arg
            for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
            if default is None
        ),
        any_positional=arguments.vararg is not None,
        any_keyword=arguments.kwarg is not None,
    )


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of the module's own scope, those inside if, try, with and loops too."""
    for statement in body:
        yield statement
        for name in ("body", "orelse", "finalbody"):
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from _statements(getattr(statement, name, []))
        for handler in getattr(statement, "handlers", []):
            yield from _statements(handler.body)


def keyword_problems(
    signature: EntrySignature, entry: str, leading: int, parameters: Sequence[str]
) -> Iterator[CodeProblem]:
    """What is wrong with calling the entry with ``leading`` positional values and the parameters by name."""
    place = (signature.line, signature.column)
    taken = signature.positional[:leading]
    if len(signature.positional) < leading and not signature.any_positional:
        yield CodeProblem(
            *place, f"{entry!r} takes {len(signature.positional)} positional values; it is called with {leading}"
        )
        return
    by_name = {*signature.positional[leading:], *signature.keyword_only}
    for name in parameters:
        if name in taken:
            yield CodeProblem(*place, f"{entry!r} gets {name!r} twice: by position and as a parameter")
        elif name not in by_name and not signature.any_keyword:
            yield CodeProblem(*place, f"{entry!r} does not take the parameter {name!r}; add it, or **parameters")
    required = (
        *signature.positional[leading : signature.positional_required],
        *signature.keyword_only_required,
    )
    for name in required:
        if name not in parameters:
            from orchestrator.orders.mistakes import hint

            yield CodeProblem(
                *place, f"{entry!r} needs {name!r}, which is no parameter of the experiment{hint(name, parameters)}"
            )


def column_problem(signature: EntrySignature, entry: str, columns: int) -> CodeProblem | None:
    """What is wrong with calling a UDF's entry with that many columns."""
    place = (signature.line, signature.column)
    if signature.keyword_only_required:
        return CodeProblem(
            *place,
            f"{entry!r} needs {signature.keyword_only_required[0]!r} by name; a UDF gets its columns by position",
        )
    least, most = signature.positional_required, len(signature.positional)
    if columns < least or (columns > most and not signature.any_positional):
        count = f"{least}" if least == most else f"{least} to {most}"
        return CodeProblem(*place, f"{entry!r} takes {count} columns; its input has {columns}")
    return None
