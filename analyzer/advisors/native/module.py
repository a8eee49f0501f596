"""A snippet's module: its function, and the constants around it that never change."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any

from analyzer.advisors.native.values import Refused


@dataclass(frozen=True, slots=True)
class Module:
    """``constants`` by name: plain Python values and compiled patterns. ``imports``: local name -> module's name.

    ``bound`` are all names that the module gives a meaning, which hide Python's own functions.
    """

    function: ast.FunctionDef
    constants: dict[str, Any]
    imports: dict[str, str]
    bound: frozenset[str]

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the function's parameters, in order."""
        return tuple(argument.arg for argument in self.function.args.args)


def read_module(code: str, entry: str) -> Module:
    """The function ``entry`` of the code with what it may refer to.

    Raises:
        Refused: no such function, or one with decorators, defaults or a variable number of parameters.
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise Refused(f"code that cannot be read ({error})") from error
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == entry]
    if len(functions) != 1:
        raise Refused(f"a module without exactly one function {entry!r}")
    function = functions[0]
    signature = function.args
    if function.decorator_list or signature.vararg or signature.kwarg or signature.kwonlyargs or signature.defaults:
        raise Refused("decorators, defaults or a variable number of parameters")
    if signature.posonlyargs:
        raise Refused("parameters by position only")
    bound = _bound(tree)
    imports = {
        alias.asname or alias.name: alias.name
        for node in tree.body
        if isinstance(node, ast.Import)
        for alias in node.names
        if bound.count(alias.asname or alias.name) == 1
    }
    if "*" in bound:
        raise Refused("names imported by *")
    return Module(function, _constants(tree, imports, bound), imports, frozenset(bound))


def _bound(tree: ast.Module) -> list[str]:
    """Every name that anything in the module binds, as often as it is bound."""
    names: list[str] = []
    for node in ast.walk(tree):
        match node:
            case ast.Name(ctx=(ast.Store() | ast.Del())):
                names.append(node.id)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.append(node.name)
            case ast.Import() | ast.ImportFrom():
                names += [alias.asname or alias.name for alias in node.names]
            case ast.arg():
                names.append(node.arg)
    return names


def _constants(tree: ast.Module, imports: dict[str, str], bound: list[str]) -> dict[str, Any]:
    """Module-level names that are bound once in the whole module, to a constant."""
    found: dict[str, Any] = {}
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        known = constant(value, imports)
        if known is not UNKNOWN and bound.count(name) == 1 and not _changed(tree, name):
            found[name] = known
    return found


def _changed(tree: ast.Module, name: str) -> bool:
    """Whether a constant of that name might be changed in place: anything but reading items and known methods."""
    reading = {"get", "sub", "search", "match", "fullmatch"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and _is(node.value, name) and not isinstance(node.ctx, ast.Load):
            return True
        if isinstance(node, ast.Attribute) and _is(node.value, name) and node.attr not in reading:
            return True
        if isinstance(node, ast.Global) and name in node.names:
            return True
    return False


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


UNKNOWN = object()
"""Stands for "not a constant"; ``None`` is one."""


def constant(node: ast.expr, imports: dict[str, str]) -> Any:
    """The constant that an expression is, or :data:`UNKNOWN`."""
    if isinstance(node, ast.Call):
        return _pattern(node, imports)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return UNKNOWN


def _pattern(node: ast.Call, imports: dict[str, str]) -> Any:
    """``re.compile("...")``, perhaps with ``re.ASCII``."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id=name), attr="compile"), args=[ast.Constant(value=str() as text), *rest]
        ) if imports.get(name) == "re" and not node.keywords:
            flags = 0
            for flag in rest:
                match flag:
                    case ast.Attribute(value=ast.Name(id=module), attr=("ASCII" | "A")) if module == name:
                        flags |= re.ASCII
                    case _:
                        return UNKNOWN
            try:
                return re.compile(text, flags)
            except (re.error, RecursionError, OverflowError):
                return UNKNOWN
        case _:
            return UNKNOWN
