"""The clones of a home: directories that each belong to a process, so that the next one can clear up after it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.databases.documents import database_from_document, database_to_document
from orchestrator.databases.locks import directories_lock
from orchestrator.databases.ownership import OWNER_FILE, Owner
from orchestrator.databases.port import ReferenceDatabase
from orchestrator.databases.prototypes import remove_tree
from orchestrator.databases.servers import Servers
from snipbench.clock import Clock
from snipbench.errors import DatabaseError
from snipbench.identity import new_id

CLONE_FILE = "clone.json"
SERVED_FILE = "served.json"
"""How to reach the clone, passwords included: readable by its owner's account only."""


@dataclass(frozen=True, slots=True)
class CloneStore:
    """Clones below ``root``: ``clones/ID/{owner.json,clone.json,served.json,server.log,data}``."""

    root: Path
    servers: Servers
    clock: Clock

    def reserve(self, prototype_key: str, task: str) -> Path:
        """A fresh directory that belongs to this process and names its prototype."""
        with directories_lock(self.root):
            parent = self.root / "clones"
            parent.mkdir(exist_ok=True)
            directory = parent / new_id("clone", self.clock.now())
            directory.mkdir(mode=0o700)
            Owner.this_process(task).write(directory)
            (directory / CLONE_FILE).write_text(json.dumps({"prototype_key": prototype_key}))
        return directory

    def keep(self, database: ReferenceDatabase) -> None:
        """Note how to reach a clone that is served now, for :meth:`find`."""
        file = self.root / "clones" / database.clone_id / SERVED_FILE
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(database_to_document(database), stream)

    def find(self, clone_id: str) -> ReferenceDatabase:
        """What :meth:`keep` noted of a clone that is there.

        Raises:
            DatabaseError: there is no such clone.
        """
        gone = DatabaseError(f"there is no clone {clone_id!r} any more")
        if re.fullmatch(r"[\w-]+", clone_id) is None:
            raise gone
        try:
            return database_from_document(json.loads((self.root / "clones" / clone_id / SERVED_FILE).read_text()))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            raise gone from None

    def of_prototype(self, prototype_key: str) -> Iterator[str]:
        """Ids of the clones of a prototype whose owner lives."""
        for directory in self._directories():
            owner = Owner.read(directory)
            if owner is not None and owner.alive() and _prototype_key(directory) == prototype_key:
                yield directory.name

    def owners(self) -> dict[str, str]:
        """The task of every clone that is served, by the clone's id; those that nobody owns are left out."""
        served = (directory for directory in self._directories() if (directory / SERVED_FILE).exists())
        owned = ((directory.name, Owner.read(directory)) for directory in served)
        return {name: owner.task for name, owner in owned if owner is not None}

    def take_over(self) -> None:
        """Answer for the served clones of a former process, and let nobody answer for what it did not finish.

        For the one process that uses this place: whoever else left something here is dead, in doubt as well.
        """
        with directories_lock(self.root):
            for directory in self._directories():
                owner = Owner.read(directory)
                if owner is not None and (directory / SERVED_FILE).exists():
                    Owner.this_process(owner.task).write(directory)
                else:
                    (directory / OWNER_FILE).unlink(missing_ok=True)

    def release(self, clone_id: str) -> None:
        """Stop whatever serves the clone and remove it; nothing to do where there is none."""
        directory = self.root / "clones" / clone_id
        if not directory.is_dir():
            return
        self.servers.stop(directory)
        remove_tree(directory)

    def reap(self) -> list[str]:
        """Remove the clones whose owner is dead; returns their ids."""
        with directories_lock(self.root):
            dead = [
                directory
                for directory in self._directories()
                if (owner := Owner.read(directory)) is None or not owner.alive()
            ]
            for directory in dead:
                self.servers.end(directory)
                remove_tree(directory)
        return [directory.name for directory in dead]

    def _directories(self) -> list[Path]:
        return sorted((self.root / "clones").glob("*"))


def _prototype_key(directory: Path) -> str | None:
    try:
        key = json.loads((directory / CLONE_FILE).read_text())["prototype_key"]
    except (FileNotFoundError, ValueError, KeyError):
        return None
    return str(key)
