"""An existing data directory: copied, never touched.

Only its data is taken. Its configuration and its rules of authentication are replaced by ours; settings belong into the
order. Its content is known by ``pg_control`` (the cluster's identity and its last checkpoint, written when it was shut
down) and by the size of every file, so that hashing stays quick however big it is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.databases.cloning import CopyFiles, copy_tree
from orchestrator.databases.cluster import Cluster, major
from orchestrator.databases.generators.base import Loading
from orchestrator.databases.generators.contents import file_hash
from snipbench.errors import DatasetError

LEFT_BEHIND = ("postmaster.opts", "postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf")


@dataclass(frozen=True, slots=True)
class DataDirectoryGenerator:
    """A cleanly shut down PostgreSQL cluster of the server's own major version."""

    path: Path
    name: str = "data_directory"
    version: int = 1

    def identity(self) -> Mapping[str, Any]:
        try:
            self._refuse_if_unfit()
            return self._known()
        except OSError as error:
            raise DatasetError(f"{error.filename} cannot be read: {error.strerror}") from error

    def _known(self) -> Mapping[str, Any]:
        sizes = {
            os.path.relpath(os.path.join(parent, name), self.path): Path(parent, name).stat().st_size  # noqa: PTH118
            for parent, _, names in os.walk(self.path)
            for name in names
            if name not in LEFT_BEHIND
        }
        known = {name: file_hash(self.path / name) for name in ("global/pg_control", "PG_VERSION")}
        return {"known": known, "sizes": sizes}

    def summary(self) -> str:
        return self.path.name

    def expected_bytes(self) -> int:
        return sum(Path(parent, name).stat().st_size for parent, _, names in os.walk(self.path) for name in names)

    def take(self, cluster: Cluster) -> None:
        """Copy the data into the cluster's directory, which does not exist yet.

        Raises:
            DatasetError: the source is in use, was not shut down cleanly, is of another version or reaches outside.
        """
        self._refuse_if_unfit()
        made_by = (self.path / "PG_VERSION").read_text("utf-8", errors="replace").strip()
        if made_by != str(major(cluster.version)):
            raise DatasetError(
                f"{self.path} was made by PostgreSQL {made_by}; the server here is {cluster.version}. "
                f"Dump it and use sql:, or upgrade it with pg_upgrade"
            )
        copy_tree(self.path, cluster.directory, CopyFiles(), cluster.account)
        state = cluster.control().get("Database cluster state", "unknown")
        if state != "shut down":
            raise DatasetError(
                f"{self.path} was not shut down cleanly (pg_controldata says {state!r}): start PostgreSQL on it once "
                "and stop it with pg_ctl stop -m fast"
            )

    def _refuse_if_unfit(self) -> None:
        for name in ("PG_VERSION", "global/pg_control"):
            if not (self.path / name).is_file():
                raise DatasetError(f"{self.path} is no PostgreSQL data directory: it has no file {name}")
        if (self.path / "postmaster.pid").exists():
            raise DatasetError(
                f"{self.path} is in use, or its server died: it has a postmaster.pid. Stop the server (pg_ctl stop)"
            )
        for name in ("standby.signal", "recovery.signal", "backup_label"):
            if (self.path / name).exists():
                raise DatasetError(f"{self.path} waits for recovery: it has a {name}. Recover and stop it first")
        if any((self.path / "pg_tblspc").iterdir()):
            raise DatasetError(f"{self.path} has tablespaces outside of it, which a clone would share: move them in")

    def load(self, loading: Loading) -> None:
        """Nothing: the data is there already."""
