"""Reference databases as PostgreSQL processes of this machine; no server to install, also as root.

Everything lies below ``HOME/databases``: ``prototypes/``, ``clones/``, ``building/`` (unfinished), ``locks/``.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.databases import roles
from orchestrator.databases.account import server_account
from orchestrator.databases.admission import admit, refuse_if_different
from orchestrator.databases.building import refuse_if_too_small
from orchestrator.databases.clones import CloneStore
from orchestrator.databases.cloning import choose, copy_tree
from orchestrator.databases.cluster import DATA
from orchestrator.databases.generators import generator_for
from orchestrator.databases.install import find_install
from orchestrator.databases.port import Connection, Prototype, ReferenceDatabase
from orchestrator.databases.prototypes import PrototypeStore, dataset_hash
from orchestrator.databases.removal import remove_unused
from orchestrator.databases.server import HOST, LocalServer, LocalServers
from orchestrator.databases.settings import CLONE_SETTINGS, as_options
from snipbench.clock import Clock, SystemClock
from snipbench.domain.order import Database
from snipbench.resources.port import Target


class EmbeddedProvider:
    """Implements :class:`orchestrator.databases.port.DatabaseProvider`. Safe to use from several threads.

    Servers end when this process ends, however that happens; :meth:`reap` of the next one removes their files.
    """

    def __init__(
        self, home: Path, clock: Clock | None = None, *, install_locations: Sequence[Path] | None = None
    ) -> None:
        """Make ``home/databases``; ``install_locations`` is where root may copy PostgreSQL's programs to.

        Raises:
            MachineError: PostgreSQL cannot run here; the message says what to do.
        """
        self._clock = clock or SystemClock()
        self._account = server_account()
        self._install = find_install(self._account, install_locations)
        self._root = (home / "databases").resolve()
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._servers = LocalServers(self._install, self._account, self._clock)
        self._prototypes = PrototypeStore(self._root, self._servers, self._clock)
        self._clones = CloneStore(self._root, self._servers, self._clock)
        self._served: dict[str, LocalServer] = {}
        self._lock = threading.Lock()

    def dataset_hash(self, database: Database, base: Path) -> str:
        return dataset_hash(generator_for(database.dataset, base))

    def prepare(self, database: Database, base: Path, *, owner: str | None = None) -> Prototype:
        return self._prototypes.prepare(generator_for(database.dataset, base), self._servers)

    def clone(
        self, prototype: Prototype, database: Database, *, owner: str, tables: Sequence[str] | None = None
    ) -> ReferenceDatabase:
        settings = CLONE_SETTINGS | as_options(database.settings)
        strategy = choose(database.clone, self._root)
        directory = self._clones.reserve(prototype.prototype_key, owner)
        try:
            began = self._clock.monotonic()
            manifest = self._prototypes.check(prototype)
            if strategy.copier.name == "copy":
                refuse_if_too_small(self._root, prototype.bytes, "a clone")
            copy_tree(prototype.directory, directory / DATA, strategy.copier, self._account)
            refuse_if_different(manifest, directory / DATA)
            copied = self._clock.monotonic()
            cluster = self._servers.cluster(directory)
            secret = self._prototypes.secret(prototype)
            server = cluster.serve(settings, Connection(HOST, 0, prototype.database, roles.ADMIN, secret))
            with self._lock:
                self._served[directory.name] = server
            run, admin, changed = admit(server.connection)
            started = self._clock.monotonic()
            served = ReferenceDatabase(
                clone_id=directory.name,
                prototype=prototype,
                strategy=strategy.copier.name,
                strategy_reason=strategy.reason,
                run=run,
                admin=admin,
                target=Target(name=f"database:{database.name}", pid=server.pid),
                server_version=self._install.version,
                settings=changed,
                ignored=_ignored(database),
                clone_seconds=copied - began,
                start_seconds=started - copied,
            )
            self._clones.keep(served)
        except BaseException:
            self.release(directory.name)
            raise
        return served

    def find(self, clone_id: str) -> ReferenceDatabase:
        return self._clones.find(clone_id)

    def clones(self) -> Mapping[str, str]:
        return self._clones.owners()

    def release(self, clone_id: str) -> None:
        with self._lock:
            server = self._served.pop(clone_id, None)
        if server is not None:
            server.stop()
        self._clones.release(clone_id)

    def reap(self) -> Sequence[str]:
        return [*self._clones.reap(), *self._prototypes.reap()]

    def prototypes(self) -> Sequence[Prototype]:
        return list(self._prototypes.all())

    def verify(self, prototype: Prototype) -> Sequence[str]:
        return self._prototypes.verify(prototype)

    def remove(self, prototype: Prototype) -> None:
        remove_unused(prototype, self._prototypes, self._clones, self._root)


def _ignored(database: Database) -> tuple[str, ...]:
    """Keys of the order that local processes cannot honour."""
    limits = [f"limits.{key}" for key, value in database.limits.model_dump().items() if value is not None]
    image = ["image"] if database.image != Database.model_fields["image"].default else []
    return (*image, *(name.removesuffix("_bytes") for name in limits))
