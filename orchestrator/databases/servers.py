"""Ending what serves a workspace: a clone's or an unfinished build's."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Servers(Protocol):
    """The servers of this provider's workspaces, found by the workspace and not by what somebody remembers."""

    def stop(self, workspace: Path) -> None:
        """End the workspace's server and give back what it was made of; in order, but not for ever."""
        ...

    def end(self, workspace: Path) -> None:
        """The same at once, for a workspace whose owner is dead or whose build failed."""
        ...
