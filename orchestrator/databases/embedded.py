"""Reference databases as PostgreSQL processes of this machine; no server to install, also as root.

Everything lies below ``HOME/databases``: ``prototypes/``, ``clones/``, ``building/`` (unfinished), ``locks/``.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.databases import roles
from orchestrator.databases.account import server_account
from orchestrator.databases.building import refuse_if_too_small
from orchestrator.databases.clones import CloneStore
from orchestrator.databases.cloning import choose, copy_tree
from orchestrator.databases.generators import generator_for
from orchestrator.databases.install import find_install
from orchestrator.databases.locks import directories_lock
from orchestrator.databases.manifest import Manifest
from orchestrator.databases.port import Connection, Prototype, ReferenceDatabase
from orchestrator.databases.prototypes import PrototypeStore, dataset_hash
from orchestrator.databases.server import DATA, HOST, Cluster, Server
from orchestrator.databases.statements import changed_settings
from snipbench.clock import Clock, SystemClock
from snipbench.domain.order import Database, Scalar
from snipbench.errors import DatabaseError
from snipbench.resources.port import Target

CLONE_SETTINGS = {"autovacuum": "off"}
"""Nothing may move in the background while runs are measured; the prototype is vacuumed and analysed already."""

RESERVED = frozenset(
    {
        *(
            "cluster_name",
            "config_file",
            "data_directory",
            "external_pid_file",
            "hba_file",
            "ident_file",
            "listen_addresses",
        ),
        *("logging_collector", "log_destination", "password_encryption", "port", "unix_socket_directories"),
    }
)
SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")


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
        self._prototypes = PrototypeStore(self._root, self._install, self._account, self._clock)
        self._clones = CloneStore(self._root, self._clock)
        self._served: dict[str, Server] = {}
        self._lock = threading.Lock()

    def dataset_hash(self, database: Database, base: Path) -> str:
        return dataset_hash(generator_for(database.dataset, base))

    def prepare(self, database: Database, base: Path) -> Prototype:
        return self._prototypes.prepare(generator_for(database.dataset, base))

    def clone(self, prototype: Prototype, database: Database, *, owner: str) -> ReferenceDatabase:
        settings = CLONE_SETTINGS | _as_options(database.settings)
        strategy = choose(database.clone, self._root)
        directory = self._clones.reserve(prototype.prototype_key, owner)
        try:
            began = self._clock.monotonic()
            manifest = self._prototypes.check(prototype)
            if strategy.copier.name == "copy":
                refuse_if_too_small(self._root, prototype.bytes, "a clone")
            copy_tree(prototype.directory, directory / DATA, strategy.copier, self._account)
            _refuse_if_different(manifest, directory / DATA)
            copied = self._clock.monotonic()
            cluster = Cluster(self._install, self._account, directory, self._clock)
            secret = self._prototypes.secret(prototype)
            server = cluster.serve(settings, Connection(HOST, 0, prototype.database, roles.ADMIN, secret))
            with self._lock:
                self._served[directory.name] = server
            run, admin, changed = _admit(server.connection)
            started = self._clock.monotonic()
        except BaseException:
            self.release(directory.name)
            raise
        return ReferenceDatabase(
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
        with directories_lock(self._root):
            if used := list(self._clones.of_prototype(prototype.prototype_key)):
                raise DatabaseError(
                    f"prototype {prototype.prototype_key} is in use by {', '.join(used)}: wait for the task or end it"
                )
            self._prototypes.remove(prototype)


def _as_options(settings: Mapping[str, Scalar]) -> dict[str, str]:
    """An order's settings as PostgreSQL spells them.

    Raises:
        DatabaseError: a name that is none, or one that the platform itself needs.
    """
    options = {}
    for name, value in settings.items():
        if not SETTING_NAME.fullmatch(name):
            raise DatabaseError(f"settings: {name!r} is not the name of a PostgreSQL setting")
        if name.lower() in RESERVED:
            raise DatabaseError(f"settings: {name} is set by snipbench itself and cannot be changed")
        options[name.lower()] = ("on" if value else "off") if isinstance(value, bool) else str(value)
    return options


def _refuse_if_different(manifest: Manifest, directory: Path) -> None:
    if differences := manifest.quick_differences(directory, times=False):
        raise DatabaseError(f"the clone does not equal its prototype: {'; '.join(differences[:3])}")


def _admit(login: Connection) -> tuple[Connection, Connection, tuple[tuple[str, str], ...]]:
    """Give both roles passwords of this clone's own; returns both logins and the settings that are no defaults."""
    import psycopg

    run = Connection(login.host, login.port, login.database, roles.RUN, roles.new_password())
    admin = Connection(login.host, login.port, login.database, roles.ADMIN, roles.new_password())
    try:
        with psycopg.connect(**login.parameters, autocommit=True) as session:
            for connection in (run, admin):
                roles.set_password(session, connection.user, connection.password)
            session.execute("CHECKPOINT")
            return run, admin, changed_settings(session)
    except psycopg.Error as error:
        raise DatabaseError(f"the clone's roles could not be prepared: {error}") from error


def _ignored(database: Database) -> tuple[str, ...]:
    """Keys of the order that local processes cannot honour."""
    limits = [f"limits.{key}" for key, value in database.limits.model_dump().items() if value is not None]
    image = ["image"] if database.image != Database.model_fields["image"].default else []
    return (*image, *(name.removesuffix("_bytes") for name in limits))
