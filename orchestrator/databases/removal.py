"""Removing a prototype, which nobody may be using."""

from __future__ import annotations

from pathlib import Path

from orchestrator.databases.clones import CloneStore
from orchestrator.databases.locks import directories_lock
from orchestrator.databases.port import Prototype
from orchestrator.databases.prototypes import PrototypeStore
from snipbench.errors import DatabaseError


def remove_unused(prototype: Prototype, prototypes: PrototypeStore, clones: CloneStore, root: Path) -> None:
    """Remove ``prototype`` from ``prototypes``.

    Raises:
        DatabaseError: a clone of it is there.
    """
    with directories_lock(root):
        if used := list(clones.of_prototype(prototype.prototype_key)):
            raise DatabaseError(
                f"prototype {prototype.prototype_key} is in use by {', '.join(used)}: wait for the task or end it"
            )
        prototypes.remove(prototype)
