"""Features of Python code, from its syntax tree alone; nothing is imported or run."""

from __future__ import annotations

import ast
from collections.abc import Iterator

Features = dict[str, float | str | None]
"""Feature -> value; a text is a category; ``None`` means that it cannot be known."""

LIBRARIES = ("numpy", "pandas", "pyarrow", "pyspark", "re", "hashlib", "collections", "itertools", "json", "math")
"""Imports that have a feature of their own."""

_STRING_METHODS = frozenset(
    [
        "capitalize",
        "casefold",
        "count",
        "decode",
        "encode",
        "endswith",
        "find",
        "format",
        "join",
        "lower",
        "lstrip",
        "partition",
        "removeprefix",
        "removesuffix",
        "replace",
        "rfind",
        "rsplit",
        "rstrip",
        "split",
        "splitlines",
        "startswith",
        "strip",
        "swapcase",
        "title",
        "translate",
        "upper",
        "zfill",
    ]
)
_REGEX_METHODS = frozenset({"compile", "findall", "finditer", "fullmatch", "match", "search", "sub", "subn"})
_ROW_ITERATION = frozenset(
    {"apply", "applymap", "collect", "iterrows", "itertuples", "tolist", "to_pylist", "toPandas"}
)
_SORTS = frozenset({"sort", "sorted", "argsort", "sort_values", "nlargest", "nsmallest", "heapify"})
_REDUCTIONS = frozenset({"sum", "min", "max", "any", "all", "len", "mean", "count", "map", "filter", "reduce"})
_LOOPS = (ast.For, ast.While, ast.AsyncFor)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

_COUNTED: dict[str, tuple[type[ast.AST], ...]] = {
    "py_functions": (ast.FunctionDef, ast.AsyncFunctionDef),
    "py_lambdas": (ast.Lambda,),
    "py_loops": _LOOPS,
    "py_comprehensions": _COMPREHENSIONS,
    "py_branches": (ast.If, ast.IfExp, ast.Match),
    "py_comparisons": (ast.Compare,),
    "py_arithmetic": (ast.BinOp, ast.AugAssign),
    "py_calls": (ast.Call,),
    "py_subscripts": (ast.Subscript,),
    "py_attributes": (ast.Attribute,),
    "py_tries": (ast.Try,),
    "py_formatted_strings": (ast.JoinedStr,),
    "py_collections": (ast.List, ast.Dict, ast.Set, ast.Tuple),
}
_NAMES = (
    "py_lines",
    "py_nodes",
    "py_depth",
    "py_loop_depth",
    *_COUNTED,
    "py_string_calls",
    "py_regex_calls",
    "py_row_iteration_calls",
    "py_sort_calls",
    "py_reduction_calls",
    *(f"py_imports_{library}" for library in LIBRARIES),
    "py_imports_other",
)


def without_python() -> Features:
    """Features of a snippet that has no Python code: its counts are truly zero."""
    return dict.fromkeys(_NAMES, 0.0)


def python_features(code: str) -> Features:
    """Counts over the syntax tree; every value is ``None`` where the code cannot be parsed."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return dict.fromkeys(_NAMES)
    nodes = list(ast.walk(tree))
    found: dict[str, float] = {
        "py_lines": sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in code.splitlines()),
        "py_nodes": len(nodes),
        "py_depth": _depth(tree),
        "py_loop_depth": _loop_depth(tree),
    }
    for name, types in _COUNTED.items():
        found[name] = sum(isinstance(node, types) for node in nodes)
    found |= _calls(nodes)
    imported = set(_imports(nodes))
    for library in LIBRARIES:
        found[f"py_imports_{library}"] = library in imported
    found["py_imports_other"] = len(imported - set(LIBRARIES))
    return {name: float(found[name]) for name in _NAMES}


def _calls(nodes: list[ast.AST]) -> dict[str, float]:
    called = [node.func for node in nodes if isinstance(node, ast.Call)]
    # A method may be handed on uncalled, as in map(text.count, letters).
    methods = [node for node in nodes if isinstance(node, ast.Attribute)]
    names = [node.id for node in called if isinstance(node, ast.Name)]
    regex_words = sum(isinstance(node, ast.keyword) and node.arg == "regex" and _is_true(node.value) for node in nodes)
    regex = regex_words + sum(
        node.attr in _REGEX_METHODS or (node.attr == "count" and _accessor(node) == "str") for node in methods
    )
    attributes = [node.attr for node in methods]
    return {
        "py_string_calls": sum(name in _STRING_METHODS for name in attributes),
        "py_regex_calls": regex,
        "py_row_iteration_calls": sum(name in _ROW_ITERATION for name in attributes),
        "py_sort_calls": sum(name in _SORTS for name in (*names, *attributes)),
        "py_reduction_calls": sum(name in _REDUCTIONS for name in (*names, *attributes)),
    }


def _accessor(node: ast.Attribute) -> str | None:
    """``str`` of ``series.str.count``: pandas takes a pattern there."""
    return node.value.attr if isinstance(node.value, ast.Attribute) else None


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _imports(nodes: list[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def _depth(node: ast.AST) -> int:
    deepest, level = 0, [node]
    while level:
        deepest += 1
        level = [child for parent in level for child in ast.iter_child_nodes(parent)]
    return deepest


def _loop_depth(tree: ast.AST) -> int:
    """How deep loops stand in loops; each ``for`` of a comprehension counts as one."""
    deepest, waiting = 0, [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        if isinstance(node, _LOOPS):
            depth += 1
        elif isinstance(node, _COMPREHENSIONS):
            depth += len(node.generators)
        deepest = max(deepest, depth)
        waiting += [(child, depth) for child in ast.iter_child_nodes(node)]
    return deepest
