"""The prototypes of a home: found, built once, verified, removed."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.databases.building import EMPTY_CLUSTER_BYTES, build, refuse_if_too_small
from orchestrator.databases.cluster import DATA, ServerKind
from orchestrator.databases.generators import Generator
from orchestrator.databases.locks import directories_lock, file_lock
from orchestrator.databases.manifest import Manifest
from orchestrator.databases.ownership import OWNER_FILE, Owner
from orchestrator.databases.port import Prototype
from orchestrator.databases.roles import new_password
from orchestrator.databases.servers import Servers
from snipbench.clock import Clock, to_text
from snipbench.errors import DatabaseError
from snipbench.identity import content_hash

FORMAT = 1
"""Raised whenever a prototype built before would not do any more (roles, layout, configuration)."""
FACTS_FILE = "prototype.json"
KEY_LENGTH = 24


def dataset_hash(generator: Generator) -> str:
    """Hash of what a generator makes."""
    return content_hash(
        {"generator": generator.name, "version": generator.version, "identity": dict(generator.identity())}
    )


@dataclass(frozen=True, slots=True)
class PrototypeStore:
    """Prototypes below ``root``: ``prototypes/KEY/{data,manifest.json,prototype.json}``."""

    root: Path
    servers: Servers
    clock: Clock

    def key(self, hashed: str, kind: ServerKind) -> str:
        """Name of the prototype of a dataset under a kind of server."""
        return content_hash([hashed, *kind.key_parts, FORMAT], length=KEY_LENGTH)

    def prepare(self, generator: Generator, kind: ServerKind) -> Prototype:
        """The generator's prototype; whoever else is building it is waited for."""
        hashed = dataset_hash(generator)
        key = self.key(hashed, kind)
        if found := self._load(key):
            return found
        with file_lock(self.root / "locks" / f"{key}.lock"):
            if found := self._load(key):
                return found
            return self._build(generator, kind, hashed, key)

    def all(self) -> Iterator[Prototype]:
        """Every finished prototype, by key; also those of an earlier server or format."""
        for directory in sorted((self.root / "prototypes").glob("*")):
            if found := self._load(directory.name):
                yield found

    def check(self, prototype: Prototype) -> Manifest:
        """Quick look before a clone: names, sizes, times.

        Raises:
            DatabaseError: the files are not what was built.
        """
        manifest = Manifest.read(self._directory(prototype))
        if (prototype.directory / "postmaster.pid").exists():
            raise DatabaseError(
                f"prototype {prototype.prototype_key} is being served, or was: it has a postmaster.pid. "
                f"Stop that server, then: snipbench databases remove {prototype.prototype_key}"
            )
        if differences := manifest.quick_differences(prototype.directory):
            raise DatabaseError(
                f"prototype {prototype.prototype_key} was changed after it was built ({'; '.join(differences[:3])}"
                f"{' …' if len(differences) > 3 else ''}): snipbench databases remove {prototype.prototype_key}, "
                "then run again"
            )
        return manifest

    def verify(self, prototype: Prototype) -> list[str]:
        """Every difference between the files and the manifest; reads every byte."""
        manifest = Manifest.read(self._directory(prototype))
        differences = manifest.differences(prototype.directory)
        if manifest.manifest_hash != prototype.manifest_hash:
            differences.insert(0, "manifest.json: not the manifest that was written when the prototype was built")
        return differences

    def remove(self, prototype: Prototype) -> None:
        """Delete it; the caller holds the lock on the directories. A half deleted one is not found any more."""
        directory = self._directory(prototype)
        if directory.exists():
            doomed = self._workspace(prototype.prototype_key)
            directory.rename(doomed / "removed")
            remove_tree(doomed)

    def secret(self, prototype: Prototype) -> str:
        """The platform's password in a fresh clone, changed as soon as it is served."""
        return str(json.loads((self._directory(prototype) / FACTS_FILE).read_text())["password"])

    def reap(self) -> list[str]:
        """Remove unfinished builds whose process is dead; returns their names."""
        removed = []
        with directories_lock(self.root):
            for workspace in sorted((self.root / "building").glob("*")):
                owner = Owner.read(workspace)
                if owner is None or not owner.alive():
                    self.servers.end(workspace)
                    remove_tree(workspace)
                    removed.append(f"unfinished build {workspace.name}")
        return removed

    def take_over(self) -> None:
        """Let nobody answer for unfinished builds; for the one process that uses this place."""
        with directories_lock(self.root):
            for workspace in (self.root / "building").glob("*"):
                (workspace / OWNER_FILE).unlink(missing_ok=True)

    def _build(self, generator: Generator, kind: ServerKind, hashed: str, key: str) -> Prototype:
        with directories_lock(self.root):
            workspace = self._workspace(key)
        try:
            refuse_if_too_small(self.root, generator.expected_bytes() + EMPTY_CLUSTER_BYTES)
            password = new_password()
            content = build(kind.cluster(workspace), generator, workspace, password)
            manifest = self._seal(workspace, writable=kind.sealed_writable)
            facts = {
                "dataset_hash": hashed,
                "manifest_hash": manifest.manifest_hash,
                "server_version": kind.version,
                "bytes": manifest.bytes,
                "dataset": f"{generator.name} {generator.summary()}",
                "database": content.database,
                "table_bytes": dict(content.table_bytes),
                "built_at": to_text(self.clock.now()),
                "password": password,
            }
            _write_private(workspace / FACTS_FILE, facts)
            target = self.root / "prototypes" / key
            target.parent.mkdir(exist_ok=True)
            with directories_lock(self.root):  # who reaps takes what has no owner for left
                for leftover in (OWNER_FILE, "server.log"):
                    (workspace / leftover).unlink(missing_ok=True)
                workspace.rename(target)
        except BaseException:
            self.servers.end(workspace)
            remove_tree(workspace)
            raise
        return self._found(key, facts, built=True)

    def _workspace(self, key: str) -> Path:
        """A fresh directory to build or to remove in, with an owner's record; the caller holds the lock."""
        workspace = self.root / "building" / f"{key}.{secrets.token_hex(4)}"
        workspace.parent.mkdir(exist_ok=True)
        workspace.mkdir(mode=0o700)
        Owner.this_process("prototype").write(workspace)
        return workspace

    def _seal(self, workspace: Path, *, writable: bool) -> Manifest:
        """Take the manifest, make everything durable and read-only, unless its owner has to keep the right to write."""
        data = workspace / DATA
        (data / "postmaster.opts").unlink(missing_ok=True)
        manifest = Manifest.of(data, sync=True)
        manifest.write(workspace)
        for parent, _, names in os.walk(data, topdown=False):
            for name in names:
                Path(parent, name).chmod(0o600 if writable else 0o400)
            Path(parent).chmod(0o700 if writable else 0o500)
        return manifest

    def _load(self, key: str) -> Prototype | None:
        try:
            facts = json.loads((self.root / "prototypes" / key / FACTS_FILE).read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise DatabaseError(f"prototype {key} cannot be read: {error}") from error
        return self._found(key, facts, built=False)

    def _found(self, key: str, facts: dict[str, Any], *, built: bool) -> Prototype:
        return Prototype(
            prototype_key=key,
            dataset_hash=facts["dataset_hash"],
            directory=self.root / "prototypes" / key / DATA,
            manifest_hash=facts["manifest_hash"],
            server_version=facts["server_version"],
            bytes=facts["bytes"],
            built=built,
            dataset=facts["dataset"],
            database=facts["database"],
            table_bytes=facts.get("table_bytes", {}),
        )

    def _directory(self, prototype: Prototype) -> Path:
        return self.root / "prototypes" / prototype.prototype_key


def remove_tree(directory: Path) -> None:
    """Delete a directory, read-only parts included; nothing to do where there is none.

    Raises:
        DatabaseError: something cannot be deleted.
    """

    def refused(_: object, path: str, error: tuple[type[BaseException], BaseException, object]) -> None:
        if not isinstance(error[1], FileNotFoundError):  # a server that ends, or another remover, was quicker
            raise DatabaseError(f"cannot remove {path}: {error[1]}") from error[1]

    for parent, _, _ in os.walk(directory):
        with suppress(FileNotFoundError):
            Path(parent).chmod(0o700)
    shutil.rmtree(directory, onerror=refused)


def _write_private(path: Path, facts: dict[str, Any]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(facts, stream)
