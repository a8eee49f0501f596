"""Values of a local frame's cells for which Python has no type, or none that keeps the class."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Ticks:
    """A point or a length of time of class ``tag``, in nanoseconds since its class's origin."""

    tag: str
    nanoseconds: int

    def __repr__(self) -> str:
        if self.tag == "u":
            return f"{Decimal(self.nanoseconds).scaleb(-9).normalize():f}s"
        text = str(np.datetime64(self.nanoseconds, "ns"))
        return text.partition("T")[2] if self.tag == "t" else text + ("Z" if self.tag == "T" else "")


@dataclass(frozen=True, slots=True)
class Fields:
    """A struct's values by position."""

    values: tuple[Any, ...]

    def __repr__(self) -> str:
        return f"{{{', '.join(map(repr, self.values))}}}"


@dataclass(frozen=True, slots=True)
class Entries:
    """A map's entries; keys need not be hashable."""

    pairs: tuple[tuple[Any, Any], ...]

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{key!r}: {value!r}' for key, value in self.pairs)}}}"


def type_name(value: Any) -> str:
    """A type's name for a person: ``pandas.DataFrame`` by its package, a builtin without one."""
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    return kind.__qualname__ if package == "builtins" else f"{package}.{kind.__qualname__}"
