"""Values that the parser knows and whose part is not built yet: refused, never ignored.

One line per value; the line is removed when the part is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from orchestrator.orders.document import Node
from orchestrator.orders.mistakes import Findings
from snipbench.domain.spark_master import is_other_cluster

_UNBUILT: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("experiments.*.snippets.*.kind", lambda value: value == "barrier", "kind 'barrier'"),
    ("experiments.*.snippets.*.kind", lambda value: value == "streaming", "kind 'streaming'"),
    ("experiments.*.warmups", lambda value: value == "auto", "warmups: auto"),
    ("experiments.*.repetitions", lambda value: isinstance(value, dict), "automatic repetitions"),
    ("calibrate", lambda value: value is True, "calibrate: true"),
    (
        "spark.master",
        lambda value: isinstance(value, str) and is_other_cluster(value),
        "a Spark master other than local[…] or spark://…",
    ),
)
"""Path (``*`` stands for any key or index), which values, and what to call them."""


def check_unbuilt(root: Node, findings: Findings) -> None:
    """Report every value of the order whose part is not built yet."""
    for path, refused, what in _UNBUILT:
        for node in _matching(root, path.split(".")):
            if refused(node.value):
                findings.add(node.place, node.path, f"{what} is not built yet in this version")


def _matching(node: Node, steps: list[str]) -> Iterator[Node]:
    if not steps:
        yield node
        return
    for key, child in node.children.items():
        if steps[0] in {"*", key}:
            yield from _matching(child, steps[1:])
