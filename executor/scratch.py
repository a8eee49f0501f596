"""Where a session's Spark puts what it needs for its time only; removed with the session, or by who comes after it.

A JVM that is killed removes nothing, and shuffle files can be as large as the data.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from snipbench.clock import Clock
from snipbench.identity import new_id
from snipbench.owned_folder import OwnedFolder

SESSIONS = "sessions"
SCRATCH = "scratch"


class Scratch:
    """A folder below ``work/sessions``, there from :meth:`make` to :meth:`remove`."""

    def __init__(self, work: Path, clock: Clock) -> None:
        self._work = work
        self.path = work.absolute() / SESSIONS / new_id(SCRATCH, clock.now())
        self._folder: OwnedFolder | None = None

    def make(self) -> None:
        """Make it; what dead processes left beside it goes. OSError if that fails."""
        remove_left(self._work)
        self._folder = OwnedFolder.make(self.path)

    def left_out(self, text: str) -> str:
        """The text with ``scratch`` in the place of the folder's path, which no two sessions share."""
        return text.replace(self.path.as_uri(), SCRATCH).replace(str(self.path), SCRATCH)

    def remove(self) -> None:
        """Remove it with all that is in it. Twice is no error."""
        if self._folder is not None:
            _removed(self._folder)
            self._folder = None


def remove_left(work: Path) -> list[str]:
    """Remove the folders below ``work`` whose processes died; their names."""
    adopted = [OwnedFolder.adopt(path) for path in sorted((work / SESSIONS).glob("*"))]
    return [_removed(folder) for folder in adopted if folder is not None]


def _removed(folder: OwnedFolder) -> str:
    shutil.rmtree(folder.path, ignore_errors=True)  # what was killed may still be at it: the next one has another try
    folder.leave()
    return folder.path.name
