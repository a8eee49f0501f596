"""The body of a Python function -> one Spark SQL expression, by following every path through it."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from analyzer.advisors.native.expressions import Translator
from analyzer.advisors.native.numbers import arithmetic
from analyzer.advisors.native.values import NOTHING, Refused, Value, choose, truth

MOST_PATHS = 64
LONGEST = 20_000
"""Characters of an expression: repeated variables can make it grow without end."""


class Paths:
    """Follows the paths of one function."""

    def __init__(self, translator: Translator) -> None:
        self._translator = translator
        self._paths = 1

    def result(self, statements: Sequence[ast.stmt], names: dict[str, Value]) -> Value:
        """What the statements return.

        Raises:
            Refused: a statement other than assignment, ``if`` and ``return``, or too many paths.
        """
        names = dict(names)
        for place, statement in enumerate(statements):
            match statement:
                case ast.Return():
                    return NOTHING if statement.value is None else self._value(statement.value, names)
                case ast.Assign(targets=[ast.Name(id=name)]):
                    names[name] = self._value(statement.value, names)
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    names[name] = self._value(value, names)
                case ast.AugAssign(target=ast.Name(id=name)) if name in names:
                    names[name] = arithmetic(statement.op, names[name], self._value(statement.value, names))
                case ast.If():
                    return self._branch(statement, statements[place + 1 :], names)
                case ast.Expr(value=ast.Constant()) | ast.Pass():
                    pass
                case _:
                    raise Refused(f"the statement {type(statement).__name__}")
        return NOTHING

    def _branch(self, statement: ast.If, rest: Sequence[ast.stmt], names: dict[str, Value]) -> Value:
        self._paths += 1
        if self._paths > MOST_PATHS:
            raise Refused("very many paths")
        condition = truth(self._value(statement.test, names))
        yes = self.result([*statement.body, *rest], names)
        no = self.result([*statement.orelse, *rest], names)
        return _checked(choose(condition, yes, no))

    def _value(self, node: ast.expr, names: dict[str, Value]) -> Value:
        return _checked(self._translator.value(node, names))


def _checked(value: Value) -> Value:
    if len(value.sql) > LONGEST:
        raise Refused("a very long expression")
    return value
