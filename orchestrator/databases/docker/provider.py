"""Reference databases as Docker containers on this machine's engine.

Everything lies below ``HOME/databases/docker``, as for the embedded provider beside it, and on the engine under labels
that name the home, the clone and the process that answers for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.databases import roles
from orchestrator.databases.account import server_account
from orchestrator.databases.admission import admit, refuse_if_different
from orchestrator.databases.building import refuse_if_too_small
from orchestrator.databases.clones import CloneStore
from orchestrator.databases.cloning import copy_tree
from orchestrator.databases.cluster import DATA as DATA_FOLDER
from orchestrator.databases.docker.cluster import ContainerCluster, ContainerKind
from orchestrator.databases.docker.engine import connect
from orchestrator.databases.docker.images import find_image
from orchestrator.databases.docker.place import on_the_host
from orchestrator.databases.docker.servers import ContainerServers
from orchestrator.databases.docker.strategies import Overlays, OverlayTrial, Strategy, choose
from orchestrator.databases.docker.template import DATA, Mounted, Template
from orchestrator.databases.generators import generator_for
from orchestrator.databases.install import find_install
from orchestrator.databases.manifest import Manifest
from orchestrator.databases.port import Connection, Prototype, ReferenceDatabase
from orchestrator.databases.prototypes import PrototypeStore, dataset_hash
from orchestrator.databases.removal import remove_unused
from orchestrator.databases.settings import CLONE_SETTINGS, as_options
from orchestrator.databases.statements import touch
from snipbench.clock import Clock, SystemClock
from snipbench.domain.order import Database
from snipbench.errors import DatabaseError


class DockerProvider:
    """Implements :class:`orchestrator.databases.port.DatabaseProvider`. Safe to use from several threads.

    Containers outlive a killed process; :meth:`reap` of the next one removes them.

    Args:
        home: below it are prototypes and clones; the engine must see it, or it must be on a volume
            of the container that this process is in.
        clock: measures what is reported.
        network: a network of containers to reach databases in, for a caller inside it; None: over loopback ports.

    Raises:
        MachineError: there is no engine.
    """

    def __init__(self, home: Path, clock: Clock | None = None, *, network: str | None = None) -> None:
        self._clock = clock or SystemClock()
        self._client = connect()
        self._root = (home / "databases" / "docker").resolve()
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._account = server_account()
        host_root = on_the_host(self._client, self._root)
        self._template = Template(self._root, self._account, host_root, network)
        self._template.write()
        self._install = find_install(self._account)
        self._servers = ContainerServers(self._client, self._template)
        self._prototypes = PrototypeStore(self._root, self._servers, self._clock)
        self._clones = CloneStore(self._root, self._servers, self._clock)
        self._overlays = Overlays(self._client, self._template)
        self._overlay_trial = OverlayTrial(self._try_overlay)

    def take_over(self) -> None:
        """Answer for what a former process left that served databases from this home, as the only one that does.

        Its served clones go on; :meth:`reap` then removes what it did not finish.
        """
        self._clones.take_over()
        self._prototypes.take_over()
        places = (*self._root.glob("clones/*"), *self._root.glob("building/*"))
        self._servers.take_over([place.name for place in places])

    def dataset_hash(self, database: Database, base: Path) -> str:
        return dataset_hash(generator_for(database.dataset, base))

    def prepare(self, database: Database, base: Path, *, owner: str | None = None) -> Prototype:
        return self._prototypes.prepare(generator_for(database.dataset, base), self._kind(database))

    def clone(
        self, prototype: Prototype, database: Database, *, owner: str, tables: Sequence[str] | None = None
    ) -> ReferenceDatabase:
        settings = CLONE_SETTINGS | as_options(database.settings)
        kind = self._kind(database)
        if self._prototypes.key(prototype.dataset_hash, kind) != prototype.prototype_key:
            raise DatabaseError(
                f"prototype {prototype.prototype_key} was not built with image {kind.image.name} "
                f"({kind.image.image_id}): prepare it anew"
            )
        strategy = choose(
            database.clone, self._root, prototype, tables, lambda: self._overlay_trial.refusal(kind.image.image_id)
        )
        directory = self._clones.reserve(prototype.prototype_key, owner)
        try:
            began = self._clock.monotonic()
            manifest = self._prototypes.check(prototype)
            data, visible = self._data(strategy, prototype, manifest, directory)
            made = self._clock.monotonic()
            cluster = ContainerCluster(kind, directory, data, visible, database.limits)
            login = Connection("", 0, prototype.database, roles.ADMIN, self._prototypes.secret(prototype))
            server = cluster.serve(settings, login)
            run, admin, changed = admit(server.connection)
            target = server.target(f"database:{database.name}")
            started = self._clock.monotonic()
            touched = None
            if strategy.copier is None:
                touch(admin, tables)
                touched = self._clock.monotonic() - started
            served = ReferenceDatabase(
                clone_id=directory.name,
                prototype=prototype,
                strategy=strategy.name,
                strategy_reason=strategy.reason,
                run=run,
                admin=admin,
                target=target,
                server_version=kind.version,
                settings=changed,
                ignored=(),
                clone_seconds=made - began,
                start_seconds=started - made,
                touch_seconds=touched,
                image=f"{kind.image.name} {kind.image.image_id}",
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
        self._clones.release(clone_id)

    def reap(self) -> Sequence[str]:
        return list(dict.fromkeys((*self._clones.reap(), *self._prototypes.reap(), *self._servers.reap())))

    def prototypes(self) -> Sequence[Prototype]:
        return list(self._prototypes.all())

    def verify(self, prototype: Prototype) -> Sequence[str]:
        return self._prototypes.verify(prototype)

    def remove(self, prototype: Prototype) -> None:
        remove_unused(prototype, self._prototypes, self._clones, self._root)

    def _kind(self, database: Database) -> ContainerKind:
        image = find_image(self._client, database.image, self._template, self._root / "images")
        return ContainerKind(self._client, image, self._template, self._install, self._clock)

    def _data(
        self, strategy: Strategy, prototype: Prototype, manifest: Manifest, directory: Path
    ) -> tuple[Mounted, Path]:
        """The clone's data directory, as containers see it, and where the host sees what they write to it."""
        if strategy.copier is None:
            return self._overlays.make(prototype.directory, directory), directory / "upper"
        target = directory / DATA_FOLDER
        if strategy.name == "copy":
            refuse_if_too_small(self._root, prototype.bytes, "a clone")
        copy_tree(prototype.directory, target, strategy.copier, self._account)
        refuse_if_different(manifest, target)
        return Mounted(target, DATA), target

    def _try_overlay(self, image_id: str) -> str | None:
        scratch = self._clones.reserve("none", "trying an overlay")
        try:
            return self._overlays.refusal(image_id, scratch)
        finally:
            self._clones.release(scratch.name)
