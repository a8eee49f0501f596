"""Rules for UDFs that see one row at a time: compute in the JVM, or at least a batch at a time."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from analyzer.advisors.input_types import input_types
from analyzer.advisors.ladder import estimated_reduction
from analyzer.advisors.native import Refused, native_query
from analyzer.advisors.port import Brief, Potential
from analyzer.advisors.proposal import Proposal
from snipbench.domain.order import Kind

ROW_KINDS = (Kind.PYTHON_UDF, Kind.ARROW_PYTHON_UDF)


def native_form(brief: Brief) -> Iterator[Proposal]:
    """The function as a SQL expression over the same input."""
    if brief.kind not in ROW_KINDS or brief.input is None or brief.returns is None:
        return
    types = input_types(brief)
    try:
        if types is None:
            raise Refused("input columns whose types are not known")
        code = native_query(brief.code, brief.entry, brief.input, types, brief.returns)
    except Refused as refused:
        yield Proposal(
            "native-form",
            "A native SQL expression would spare the way to Python and back, but this function has no mechanical"
            f" translation: it holds {refused}.",
            Potential.MED,
        )
        return
    yield Proposal(
        "native-form",
        "Compute it in the JVM: the function has an equivalent SQL expression. Where the function raises (None in an"
        " operation, a whole number beyond 64 bits), the expression gives NULL or fails.",
        Potential.HIGH,
        code,
        Kind.SQL,
        estimated_reduction=estimated_reduction(brief.kind, Kind.SQL),
    )


def arrow_rows(brief: Brief) -> Iterator[Proposal]:
    """The same function, rows exchanged by Arrow instead of by pickling."""
    if brief.kind is not Kind.PYTHON_UDF:
        return
    yield Proposal(
        "arrow-rows",
        "Exchange the rows by Arrow (useArrow=True): the function stays as it is. A value that is not of the declared"
        " type is then converted, where pickling made it NULL.",
        Potential.MED,
        brief.code,
        Kind.ARROW_PYTHON_UDF,
        brief.entry,
        estimated_reduction(brief.kind, Kind.ARROW_PYTHON_UDF),
    )


_ARROW_OPERATORS: dict[type[ast.operator], str] = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply"}
_ARROW_FUNCTIONS = {"sqrt": "sqrt", "exp": "exp", "sin": "sin", "cos": "cos"}


def arrow_batches(brief: Brief) -> Iterator[Proposal]:
    """Plain arithmetic of doubles as an Arrow UDF, which keeps NULL and NaN apart as the row form does."""
    if brief.kind not in ROW_KINDS or brief.returns is None or brief.returns.strip().lower() != "double":
        return
    types = input_types(brief)
    function = _only_function(brief)
    if types is None or set(types) != {"double"} or function is None:
        return
    names = [argument.arg for argument in function.args.args]
    statement = [node for node in function.body if not _is_docstring(node)]
    if len(names) != len(types) or len(statement) != 1 or not isinstance(statement[0], ast.Return):
        return
    body = None if statement[0].value is None else _arrow(statement[0].value, names, _math_names(brief.code))
    if body is None or not body.startswith("pc."):
        return
    arguments = ", ".join(f"{name}: pa.Array" for name in names)
    code = (
        "import pyarrow as pa\nimport pyarrow.compute as pc\n\n\n"
        f"def {brief.entry}({arguments}) -> pa.Array:\n    return {body}\n"
    )
    yield Proposal(
        "arrow-batches",
        "Compute a batch at a time on Arrow arrays: the function is plain arithmetic.",
        Potential.HIGH,
        code,
        Kind.ARROW_UDF,
        brief.entry,
        estimated_reduction(brief.kind, Kind.ARROW_UDF),
    )


def pandas_forms(brief: Brief) -> Iterator[Proposal]:
    """What costs time inside vectorised UDFs."""
    if brief.kind is not Kind.PANDAS_UDF:
        return
    loops = (".apply(", ".map(", "iterrows(", "itertuples(", ".tolist(")
    if any(loop in brief.code for loop in loops):
        yield Proposal(
            "loop-in-pandas",
            "The pandas UDF goes through its rows in Python; whole-column operations spare that.",
            Potential.HIGH,
        )
    yield Proposal(
        "native-form",
        "If built-in functions can express it, a native SQL expression spares the exchange with Python altogether.",
        Potential.MED,
    )


def _only_function(brief: Brief) -> ast.FunctionDef | None:
    try:
        tree = ast.parse(brief.code)
    except (SyntaxError, ValueError, RecursionError):
        return None
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == brief.entry]
    if len(found) != 1 or found[0].decorator_list:
        return None
    signature = found[0].args
    plain = not (signature.vararg or signature.kwarg or signature.kwonlyargs or signature.defaults)
    return found[0] if plain and not signature.posonlyargs else None


def _math_names(code: str) -> frozenset[str]:
    """Names by which the module ``math`` is known in the code, if nothing else is called so."""
    tree = ast.parse(code)
    return frozenset(
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == "math"
    )


def _arrow(node: ast.expr, names: list[str], math: frozenset[str]) -> str | None:
    """The expression over arrays; ``None`` where it is more than arithmetic. Constants stay Python's."""
    match node:
        case ast.Name(id=name) if name in names:
            return name
        case ast.Constant(value=(float() | int()) as value) if not isinstance(value, bool) and abs(value) < 2**53:
            return repr(float(value))
        case ast.BinOp(op=operator) if type(operator) in _ARROW_OPERATORS:
            sides = [_arrow(side, names, math) for side in (node.left, node.right)]
            if None in sides or all(isinstance(side, ast.Constant) for side in (node.left, node.right)):
                return None
            return f"pc.{_ARROW_OPERATORS[type(operator)]}({sides[0]}, {sides[1]})"
        case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name), args=[argument], keywords=[]) if (
            module in math and name in _ARROW_FUNCTIONS
        ):
            inner = _arrow(argument, names, math)
            return None if inner is None or isinstance(argument, ast.Constant) else f"pc.{name}({inner})"
        case _:
            return None


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
