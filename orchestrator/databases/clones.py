"""The clones of a home: directories that each belong to a process, so that the next one can clear up after it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.databases.locks import directories_lock
from orchestrator.databases.ownership import Owner
from orchestrator.databases.prototypes import remove_tree
from orchestrator.databases.servers import Servers
from snipbench.clock import Clock
from snipbench.identity import new_id

CLONE_FILE = "clone.json"


@dataclass(frozen=True, slots=True)
class CloneStore:
    """Clones below ``root``: ``clones/ID/{owner.json,clone.json,server.log,data}``."""

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

    def of_prototype(self, prototype_key: str) -> Iterator[str]:
        """Ids of the clones of a prototype whose owner lives."""
        for directory in self._directories():
            owner = Owner.read(directory)
            if owner is not None and owner.alive() and _prototype_key(directory) == prototype_key:
                yield directory.name

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
