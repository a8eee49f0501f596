"""Source text -> code in which every function that it defines is profiled, its line numbers unchanged."""

from __future__ import annotations

import ast
from types import CodeType
from typing import Any

from snipbench.profiling.decorator import profile

NAME = "__snipbench_profile__"
"""What the decorator is called in the namespace of such code."""


def instrumented(source: str | bytes, file_name: str) -> tuple[CodeType, dict[str, Any]]:
    """Code to execute as a module, and the names that it must find there.

    Decorated are functions, coroutines and generators at module level and methods of classes, innermost, that is
    beneath decorators of their own (``lru_cache``, ``property``, …); and lambdas that a name is given to. A function
    within a function is left alone: its time belongs to the one around it.

    Raises:
        SyntaxError: the source is not Python.
    """
    tree = _Decorating().visit(ast.parse(source, file_name))
    return compile(ast.fix_missing_locations(tree), file_name, "exec", dont_inherit=True), {NAME: profile}


class _Decorating(ast.NodeTransformer):
    """Goes into classes and statements (``if``, ``try``, …), not into functions."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._decorated(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._decorated(node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Lambda() as function):
                made = ast.Call(_name(function), [], [ast.keyword("name", ast.Constant(name))])
                node.value = ast.copy_location(ast.Call(ast.copy_location(made, function), [function], []), function)
        return node

    @staticmethod
    def _decorated(node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.decorator_list.append(_name(node))
        return node


def _name(place: ast.AST) -> ast.expr:
    return ast.copy_location(ast.Name(NAME, ast.Load()), place)
