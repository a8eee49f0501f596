"""Source whose functions are all profiled, as an order's profile pass and `snipbench profile` execute it."""

from __future__ import annotations

import traceback
from collections import Counter

import pytest

from snipbench.profiling import COLUMNS, CallRow
from snipbench.profiling.instrument import instrumented

SOURCE = '''
"""A module."""
from __future__ import annotations

import functools

def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

@functools.lru_cache
def cached(n):
    return n

double = lambda n: 2 * n

class Shape:
    side = 2

    def area(self):
        return self._of(self.side)

    @staticmethod
    def _of(side):
        return side * side

    @property
    def half(self):
        return self.area() / 2

    @classmethod
    def make(cls):
        return cls()

if True:
    def within_if():
        def closure():
            return 1
        return closure()
else:
    def within_if():
        return 2

async def later():
    return 3

def items(n):
    yield from range(n)

def fails():
    raise ValueError("no")
'''


def namespace(source: str = SOURCE) -> dict:
    code, names = instrumented(source, "<made up>")
    found = {"__name__": "made_up", **names}
    exec(code, found)
    return found


def counts(rows: list[CallRow]) -> Counter:
    return Counter(((row["class_name"] or "") + "." + row["function_name"]).lstrip(".") for row in rows)


def test_every_function_and_method_is_counted_once_a_call(drain):
    made = namespace()
    assert made["fib"](7) == 13
    assert [made["cached"](n) for n in (1, 1, 2)] == [1, 1, 2]
    assert made["double"](4) == 8
    assert made["Shape"].make().half == 2
    assert made["within_if"]() == 1
    assert list(made["items"](3)) == [0, 1, 2]
    with pytest.raises(ValueError, match="no"):
        made["fails"]()
    rows = drain()
    assert counts(rows) == {
        "fib": 41,
        "cached": 2,
        "double": 1,
        "within_if": 1,
        "items": 1,
        "fails": 1,
        "Shape.make": 1,
        "Shape.half": 1,
        "Shape.area": 1,
        "Shape._of": 1,
    }
    assert [row["exception"] for row in rows if row["function_name"] == "fails"] == ["ValueError: no"]
    assert all(list(row) == list(COLUMNS) for row in rows)


def test_a_coroutine_is_still_one(drain):
    import asyncio

    assert asyncio.run(namespace()["later"]()) == 3
    assert counts(drain()) == {"later": 1}


def test_the_cache_of_lru_cache_is_still_there(drain):
    made = namespace()
    made["cached"](1)
    assert made["cached"].cache_info().currsize == 1


def test_lines_in_tracebacks_are_the_source_s(drain):
    with pytest.raises(ValueError, match="no") as caught:
        namespace()["fails"]()
    line = traceback.extract_tb(caught.value.__traceback__)[-1].lineno
    assert SOURCE.splitlines()[line - 1].strip() == 'raise ValueError("no")'


def test_a_function_that_is_profiled_already_is_counted_once(drain):
    made = namespace("import snipbench\n@snipbench.profile\ndef run():\n    return 1\n")
    made["run"]()
    assert counts(drain()) == {"run": 1}
