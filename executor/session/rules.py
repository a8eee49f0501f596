"""A rule of measurement that a snippet broke."""

from __future__ import annotations


class RuleBroken(Exception):
    """``kind`` names the rule: ``ReturnedNothing``, ``ChangedSettings``, ``LeftCachedView``, ``AllNull`` …"""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        self.message = message
        super().__init__(f"{kind}: {message}")
