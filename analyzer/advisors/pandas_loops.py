"""Rules for functions over pandas: loops over rows that whole-column operations replace."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from analyzer.advisors.port import Brief, Potential
from analyzer.advisors.proposal import Proposal
from snipbench.domain.order import Kind

KINDS = (Kind.FUNCTION, Kind.PANDAS_UDF)


def row_loops(brief: Brief) -> Iterator[Proposal]:
    """``apply(axis=1)`` of plain arithmetic, and ``iterrows`` loops that sum or collect it."""
    if brief.kind not in KINDS:
        return
    try:
        tree = ast.parse(brief.code)
    except (SyntaxError, ValueError, RecursionError):
        return
    rewriter = _Rewriter()
    rewritten = ast.unparse(ast.fix_missing_locations(rewriter.visit(tree))) + "\n"
    if rewriter.done:
        yield Proposal(
            "row-loop",
            f"Work on whole columns instead of row by row ({', '.join(sorted(rewriter.done))}).",
            Potential.HIGH,
            rewritten,
            brief.kind,
            brief.entry,
        )
    elif "iterrows(" in brief.code or "axis=1" in brief.code:
        yield Proposal(
            "row-loop",
            "The function goes through a DataFrame row by row, each row as a new Series; work on whole columns, or loop"
            " over zip() of the columns needed.",
            Potential.HIGH,
        )


class _Rewriter(ast.NodeTransformer):
    """Replaces the loops that it knows. What a loop collects keeps its order and its Python numbers."""

    def __init__(self) -> None:
        self.done: set[str] = set()

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """``frame.apply(lambda row: …, axis=1)``."""
        self.generic_visit(node)
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=frame), attr="apply"),
                args=[ast.Lambda(args=ast.arguments(args=[ast.arg(arg=row)]), body=body)],
                keywords=[ast.keyword(arg="axis", value=ast.Constant(value=(1 | "columns")))],
            ):
                column = _over_columns(body, row, frame)
                if column is not None:
                    self.done.add("apply(axis=1)")
                    return column
        return node

    def visit_For(self, node: ast.For) -> ast.AST:
        """``for _, row in frame.iterrows():`` with one statement that adds up or appends."""
        self.generic_visit(node)
        match node:
            case ast.For(
                target=ast.Tuple(elts=[ast.Name(id=index), ast.Name(id=row)]),
                iter=ast.Call(func=ast.Attribute(value=ast.Name(id=frame), attr="iterrows"), args=[], keywords=[]),
                body=[statement],
                orelse=[],
            ) if index != row:
                replaced = _statement(statement, row, frame)
                if replaced is not None:
                    self.done.add("iterrows()")
                    return replaced
        return node


def _statement(statement: ast.stmt, row: str, frame: str) -> ast.stmt | None:
    match statement:
        case ast.AugAssign(target=ast.Name(id=total), op=ast.Add(), value=added) if total not in (row, frame):
            column = _over_columns(added, row, frame)
            if column is not None:
                # sum() from the total on adds in the loop's order, so that floats round alike and NaN stays NaN.
                return ast.parse(f"{total} = sum({_values(column)}, {total})").body[0]
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(value=ast.Name(id=found), attr="append"), args=[item], keywords=[])
        ) if found not in (row, frame):
            column = _over_columns(item, row, frame)
            if column is not None:
                return ast.parse(f"{found}.extend({_values(column)})").body[0]
    return None


def _values(column: ast.expr) -> str:
    return f"({ast.unparse(column)}).tolist()"


def _over_columns(node: ast.expr, row: str, frame: str) -> ast.expr | None:
    """The expression with the frame's columns for the row's values; ``None`` unless it is arithmetic of them."""
    checker = _Arithmetic(row)
    checker.visit(node)
    if not checker.plain or not checker.columns:
        return None
    renamed = ast.parse(ast.unparse(node), mode="eval").body
    for part in ast.walk(renamed):
        if isinstance(part, ast.Name) and part.id == row:
            part.id = frame
    return renamed


class _Arithmetic(ast.NodeVisitor):
    def __init__(self, row: str) -> None:
        self._row = row
        self.plain = True
        self.columns = 0

    def generic_visit(self, node: ast.AST) -> None:
        match node:
            case ast.BinOp(op=(ast.Add() | ast.Sub() | ast.Mult() | ast.Div()), left=left, right=right):
                self.visit(left)
                self.visit(right)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                self.visit(operand)
            case ast.Constant(value=(int() | float())):
                pass
            case ast.Subscript(value=ast.Name(id=self._row), slice=ast.Constant(value=str())):
                self.columns += 1
            case _:
                self.plain = False
