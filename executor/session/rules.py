"""What a session cannot start for, a rule of measurement that a snippet broke, and how processes of a profile pass
differ from those of runs."""

from __future__ import annotations

from pathlib import Path

PROFILE_VARIABLE = "SNIPBENCH_PROFILE_PASS"
"""In the environment of the Python workers of a profile pass."""

FRAMES_OF_A_CALL = 3
"""Interpreter frames that a profiled call takes at most: their recursion limit is so many times as high."""


def losses(daemons: Path) -> Path:
    """The pipe beside the daemons' folder through which workers of a profile pass tell how many calls they could not
    write. A pipe takes them where the disk is full."""
    return daemons.with_name(f"{daemons.name}.lost")


class StartFailed(Exception):
    """Spark did not start, or its parts do not fit together; the message names versions and the likely cause."""


class RuleBroken(Exception):
    """``kind`` names the rule: ``ReturnedNothing``, ``ChangedSettings``, ``LeftCachedView``, ``AllNull`` …"""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        self.message = message
        super().__init__(f"{kind}: {message}")
