"""What a source keeps of each target between readings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from snipbench.resources.port import Target


class Closable(Protocol):
    """Holds descriptors."""

    def close(self) -> None:
        """Give them back."""


T = TypeVar("T", bound=Closable)


class Gone(Exception):
    """The target ended before."""


class Kept(Generic[T]):
    """Made at a target's first reading, kept until the target ends; one that ended stays ended, even if its process id
    or its name is given away again. Not safe between threads.

    Args:
        make: what to keep of a target.
    """

    def __init__(self, make: Callable[[Target], T]) -> None:
        self._make = make
        self._kept: dict[Target, T | None] = {}

    def __iter__(self) -> Iterator[T]:
        """Of all targets that have not ended."""
        return (kept for kept in self._kept.values() if kept is not None)

    def of(self, target: Target) -> T:
        """What is kept of a target.

        Raises:
            Gone: it has ended.
        """
        if target not in self._kept:
            self._kept[target] = self._make(target)
        kept = self._kept[target]
        if kept is None:
            raise Gone
        return kept

    def end(self, target: Target) -> None:
        """The target has ended."""
        kept = self._kept.get(target)
        if kept is not None:
            kept.close()
        self._kept[target] = None

    def close(self) -> None:
        """Forget all targets."""
        for kept in self:
            kept.close()
        self._kept.clear()
