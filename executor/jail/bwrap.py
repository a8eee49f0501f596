"""The jail's walls: a bubblewrap command line, and whether it works on this machine (decision 0120)."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from executor.jail.furniture import Furniture
from executor.jail.readable import java_home, our_packages, packages_root, programs

ENTRY = "import sys; sys.path.append(sys.argv[1]); from executor.jail.entry import main; main(sys.argv[2:])"
TRY_SECONDS = 30.0
FIRST_USER = 1_900_000_000
USERS = 60_000_000
"""Numbers that no account has: a jail started by root gets one at random, so that it shares nothing with another."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the jailed processes may take, besides the supervisor's cap on their memory.

    ``temporary_bytes`` bounds /tmp and /dev/shm each: their pages are in memory, and in no process's figures.
    An address space is not limited: a JVM reserves far more than it uses.
    """

    processes: int = 1024
    """Threads count, as the kernel has it."""
    file_bytes: int = 4 * 2**30
    open_files: int = 16_384
    temporary_bytes: int = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Jail:
    """Namespaces of its own (no network but a loopback), an allow-list of read-only files, no capabilities, limits.

    What is not on the list is not there: no home, no checkout but the two packages that a session needs, no store, no
    lake. Started by root, the jailed processes run as a user that nobody else is; else as the user who started them.
    """

    limits: Limits = Limits()

    @staticmethod
    def available() -> str | None:
        """``None`` where a jail works, tried once by starting one; else why it does not, for the user who consents."""
        return _problem()

    def command(
        self,
        argv: Sequence[str],
        furniture: Furniture,
        *,
        writable: Path | None = None,
        readable: Iterable[Path] = (),
        network: Path | None = None,
    ) -> tuple[str, ...]:
        """``argv`` in the jail, to be started with :meth:`environment`.

        Args:
            furniture: the jail's few files of its own; it knows the user.
            writable: the one directory to work in, at its own path.
            readable: files and directories to be seen besides the programs, at their own paths.
            network: directory of the Unix socket that leads to the database, see :mod:`executor.jail.relay`.
        """
        entry = {"limits": asdict(self.limits), "user": furniture.user, "relay": network is not None}
        python = [sys.executable, "-I", "-S", "-c", ENTRY, str(packages_root()), json.dumps(entry)]
        binds = [("--ro-bind", path, Path("/etc") / path.name) for path in furniture.etc()]
        binds += [("--ro-bind", path, path) for path in (*programs(), *our_packages(), *readable)]
        if network is not None:
            binds.append(("--ro-bind", network, Furniture.NETWORK))
        if writable is not None:
            binds.append(("--bind", writable, writable))
        return (
            _program(),
            *_namespaces(furniture.user is not None),
            *_file_system(self.limits.temporary_bytes),
            *_bound(binds),
            *("--remount-ro", "/"),
            *("--chdir", "/tmp" if writable is None else str(writable)),
            "--",
            *python,
            *argv,
        )

    @staticmethod
    def environment() -> dict[str, str]:
        """The whole environment: nothing of ours is in it but where programs are."""
        found = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/tmp",
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(packages_root()),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        home = java_home()
        return found if home is None else found | {"JAVA_HOME": str(home)}

    @staticmethod
    def user() -> int | None:
        """Number of the user that a new jail's processes are; ``None``: the one who starts it."""
        return FIRST_USER + secrets.randbelow(USERS) if os.geteuid() == 0 else None


def _program() -> str:
    return shutil.which("bwrap") or "bwrap"


def _namespaces(other_user: bool) -> tuple[str, ...]:
    common = ("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--hostname", "snippet")
    ends = ("--die-with-parent", "--new-session", "--cap-drop", "ALL")
    if other_user:
        # Only these two, only until the entry has become the other user, which loses them for good.
        return *common, *ends, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"
    return *common, *ends, "--unshare-user", "--disable-userns"


def _file_system(temporary_bytes: int) -> tuple[str, ...]:
    """The parts that every jail has; what is bound into them comes after."""
    temporary = ("--perms", "1777", "--size", str(temporary_bytes), "--tmpfs")
    return (
        *("--ro-bind", "/usr", "/usr"),
        *_merged("/bin", "/sbin", "/lib", "/lib32", "/lib64"),
        *("--proc", "/proc", "--dev", "/dev"),
        *(*temporary, "/dev/shm", *temporary, "/tmp"),
    )


def _merged(*names: str) -> Iterable[str]:
    """Directories that are links into /usr on most systems, as they are here."""
    for name in names:
        path = Path(name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), name)
        elif path.is_dir():
            yield from ("--ro-bind", name, name)


def _bound(binds: Iterable[tuple[str, Path, Path]]) -> Iterable[str]:
    """``(option, path out here, path in the jail)``; first the directories above it, open to all."""
    made = {Path("/"), Path("/tmp")}
    for option, source, target in binds:
        for parent in reversed(target.parents):
            if parent not in made:
                made.add(parent)
                yield from ("--perms", "0755", "--dir", str(parent))
        yield from (option, str(source), str(target))


@cache
def _problem() -> str | None:
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed (the Debian package `bubblewrap` has the program bwrap)"
    with Furniture(Jail.user()) as furniture:
        python = (sys.executable, "-c", "import pyarrow, pyspark; print('in jail')")
        argv = Jail().command(python, furniture)
        try:
            tried = subprocess.run(
                argv, env=Jail.environment(), capture_output=True, check=False, timeout=TRY_SECONDS, text=True
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"bubblewrap does not work here: {error}"
    if tried.returncode != 0 or tried.stdout.strip() != "in jail":
        return f"bubblewrap does not work here: {(tried.stderr or tried.stdout).strip()[-500:]}"
    return None
