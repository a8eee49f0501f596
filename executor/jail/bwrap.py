"""Whether a jail can be had on this machine (its command line follows)."""

from __future__ import annotations


class Jail:
    """Namespaces without a network, a read-only allow-list of files, no capabilities, limits on processes and files."""

    @staticmethod
    def available() -> str | None:
        """``None`` where a jail works, tried by starting one; else why it does not, for the user who must consent."""
        return "the jail is not built yet"
