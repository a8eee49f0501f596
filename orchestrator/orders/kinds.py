"""Which keys each kind of snippet takes, needs and inherits (design, section 5)."""

from __future__ import annotations

from dataclasses import dataclass

from snipbench.domain.order import Kind


@dataclass(frozen=True, slots=True)
class KindKeys:
    """Keys beyond those every snippet may have."""

    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()

    @property
    def allowed(self) -> frozenset[str]:
        """All of them."""
        return self.required | self.optional


_UDF = KindKeys(frozenset({"input", "returns"}), frozenset({"entry"}))

KIND_KEYS: dict[Kind, KindKeys] = {
    Kind.SQL: KindKeys(),
    Kind.DATAFRAME: KindKeys(optional=frozenset({"entry"})),
    Kind.PYTHON_UDF: _UDF,
    Kind.ARROW_PYTHON_UDF: _UDF,
    Kind.PANDAS_UDF: _UDF,
    Kind.ARROW_UDF: _UDF,
    Kind.FUNCTION: KindKeys(optional=frozenset({"entry", "input"})),
    Kind.BARRIER: KindKeys(frozenset({"input", "returns"}), frozenset({"entry", "tasks"})),
    Kind.STREAMING: KindKeys(frozenset({"input"}), frozenset({"entry", "rows_per_batch", "trigger"})),
}

KEYS_OF_SOME_KINDS = frozenset[str]().union(*(keys.allowed for keys in KIND_KEYS.values()))
"""Keys that only some kinds take."""

INHERITED_KEYS = ("input", "returns", "tasks", "rows_per_batch", "trigger", "allow_all_null", "template")
"""What a variant takes over from its baseline unless it states it itself, where its kind takes the key."""


def takes(kind: Kind, key: str) -> bool:
    """Whether a snippet of that kind may have the key."""
    return key not in KEYS_OF_SOME_KINDS or key in KIND_KEYS[kind].allowed
