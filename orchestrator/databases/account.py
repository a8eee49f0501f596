"""The system account a reference database's server runs under.

PostgreSQL refuses to run as root, so root lends it the account ``nobody``: no user has to be made on the machine, and
``initdb`` finds the name it asks the system for. Any other user runs the server as itself.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from snipbench.errors import MachineError

LENT_ACCOUNT = "nobody"


@dataclass(frozen=True, slots=True)
class Account:
    """User and group id of the server's processes and files."""

    uid: int
    gid: int

    @property
    def lent(self) -> bool:
        """Whether it is another account than ours; then files have to be handed over."""
        return self.uid != os.geteuid()

    def own(self, path: Path) -> None:
        """Hand one file or directory over to the account; nothing to do where it is ours."""
        if self.lent:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def server_account() -> Account:
    """The account for servers started by this process.

    Raises:
        MachineError: we are root and the system has no account ``nobody``.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    try:
        entry = pwd.getpwnam(LENT_ACCOUNT)
    except KeyError:
        raise MachineError(
            f"PostgreSQL does not run as root, and this system has no account {LENT_ACCOUNT!r} to lend it: "
            "run snipbench as another user, or add the account to /etc/passwd"
        ) from None
    return Account(entry.pw_uid, entry.pw_gid)
