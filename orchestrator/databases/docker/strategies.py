"""How a clone of a prototype is made for a container, and why that way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.databases import cloning
from orchestrator.databases.account import Account
from orchestrator.databases.docker.engine import translated
from orchestrator.databases.docker.programs import run_program
from orchestrator.databases.docker.template import DATA, Mounted, Template
from orchestrator.databases.port import Prototype
from snipbench.domain.order import CloneChoice
from snipbench.errors import DatabaseError

SMALL_BYTES = 256_000_000
"""Below this, a copy takes no longer than mounting and copying up."""
SMALL_SHARE = 0.5
"""An overlay copies a table up when it is first read: about as dear, byte for byte, as copying it before."""
AWKWARD = set(",:\\\"' \n")
"""Characters that mean something in the options of a mount."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """``copier`` is None for an overlay."""

    copier: cloning.FileCopier | None
    reason: str

    @property
    def name(self) -> str:
        """As it is recorded."""
        return self.copier.name if self.copier else "overlay"


def choose(
    choice: CloneChoice,
    place: Path,
    prototype: Prototype,
    tables: Sequence[str] | None,
    overlay_refusal: Callable[[], str | None],
) -> Strategy:
    """The strategy for a clone in the directory ``place`` of which ``tables`` will be read (None: not known).

    Raises:
        DatabaseError: the order asks for what cannot be had here.
    """
    if choice is CloneChoice.OVERLAY:
        if refusal := overlay_refusal():
            raise DatabaseError(f"clone: overlay is not to be had: {refusal}; use auto, reflink or copy")
        return Strategy(None, "the order asks for overlay")
    plain = cloning.choose(choice, place)
    if choice is not CloneChoice.AUTO or plain.copier.name == "reflink":
        return Strategy(plain.copier, plain.reason)
    read = bytes_read(prototype, tables)
    if prototype.bytes < SMALL_BYTES:
        return Strategy(plain.copier, f"{plain.reason}, and {_megabytes(prototype.bytes)} are copied quickly")
    share = f"{_megabytes(read)} of {_megabytes(prototype.bytes)} are read"
    if read > SMALL_SHARE * prototype.bytes:
        return Strategy(plain.copier, f"auto: {share}, which an overlay would copy as well")
    if refusal := overlay_refusal():
        return Strategy(plain.copier, f"{plain.reason}, and {refusal}")
    return Strategy(None, f"auto: only {share}")


def bytes_read(prototype: Prototype, tables: Sequence[str] | None) -> int:
    """Bytes of the tables that are read, with indexes; everything where one of them is not known (a view, say)."""
    if tables is None or any(table not in prototype.table_bytes for table in tables):
        return prototype.bytes
    return sum(prototype.table_bytes[table] for table in set(tables))


@dataclass(frozen=True, slots=True)
class Overlays:
    """Volumes of Docker's driver ``local`` that are overlay mounts, a prototype being the lower layer."""

    client: Any
    template: Template

    def make(self, prototype: Path, workspace: Path) -> Mounted:
        """A volume for the workspace; its upper layer is the workspace's ``upper``. DatabaseError if it cannot be."""
        made = layers(workspace, self.template.account)
        lower, upper, work = (self.template.on_host(path) for path in (prototype, *made))
        with translated("the clone's volume cannot be made"):
            volume = self.client.volumes.create(
                name=f"snipbench-{workspace.name}",
                driver="local",
                driver_opts={
                    "type": "overlay",
                    "device": "overlay",
                    "o": f"lowerdir={lower},upperdir={upper},workdir={work}",
                },
                labels=self.template.labels(workspace.name),
            )
        return Mounted(str(volume.name), DATA)

    def refusal(self, image_id: str, scratch: Path) -> str | None:
        """Why there can be no overlays in this home, found by trying in ``scratch``; None if there can.

        Raises:
            DatabaseError: the engine did not mount one; it may another time.
        """
        if awkward := AWKWARD & set(str(self.template.host_root)):
            return f"the home's path has {''.join(sorted(awkward))!r} in it, which a mount's options cannot carry"
        lower = scratch / "lower"
        lower.mkdir(mode=0o700)
        self.template.account.own(lower)
        mounted = self.make(lower, scratch)
        run_program(
            self.client,
            self.template,
            image_id,
            "/bin/sh",
            ["-c", f"echo tried >{DATA}/file"],
            what="an overlay was tried",
            mounts=(mounted,),
            labels=self.template.labels(scratch.name),
        )
        if not (scratch / "upper" / "file").exists():
            return "the engine mounts directories of another machine than this one"
        return None


class OverlayTrial:
    """Whether overlays can be had: tried until the answer is sure. Safe to use from several threads.

    Args:
        refusal: tries with an image, as :meth:`Overlays.refusal`.
    """

    def __init__(self, refusal: Callable[[str], str | None]) -> None:
        self._refusal = refusal
        self._sure: tuple[str | None] | None = None
        self._lock = threading.Lock()

    def refusal(self, image_id: str) -> str | None:
        """Why there are no overlays, for this clone at least; None if there are."""
        with self._lock:
            if self._sure is None:
                try:
                    self._sure = (self._refusal(image_id),)
                except DatabaseError as error:  # a busy engine, or an image that was removed: not so the next time
                    return f"the engine mounted no overlay this time ({error})"
            return self._sure[0]


def layers(workspace: Path, account: Account) -> tuple[Path, Path]:
    """The directories an overlay writes to; PostgreSQL wants the upper one, which it sees, to be 0700 and its own."""
    made = workspace / "upper", workspace / "work"
    for directory in made:
        directory.mkdir(mode=0o700)
        account.own(directory)
    return made


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
