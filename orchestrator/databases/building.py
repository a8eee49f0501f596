"""Making the content of a prototype: a cluster is made and filled, vacuumed, and shut down."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.databases import roles
from orchestrator.databases.cluster import Cluster
from orchestrator.databases.generators import Generator, Loading
from orchestrator.databases.generators.data_directory import DataDirectoryGenerator
from orchestrator.databases.port import Connection
from orchestrator.databases.statements import table_facts
from orchestrator.databases.waiting import log_tail
from snipbench.errors import DatabaseError, DatasetError

DATABASE = "snipbench"
EMPTY_CLUSTER_BYTES = 120_000_000
"""What a cluster takes before anything is loaded, its log included."""

BUILD_SETTINGS = {
    "fsync": "off",  # an interrupted build is thrown away; a finished one is made durable when its manifest is taken
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "min_wal_size": "32MB",
    "max_wal_size": "1GB",
    "maintenance_work_mem": "128MB",
    "autovacuum": "off",
}


def refuse_if_too_small(place: Path, needed_bytes: int, what: str = "the prototype") -> None:
    """DatabaseError where the file system of ``place`` has clearly not enough room."""
    status = os.statvfs(place)
    free = status.f_bavail * status.f_frsize
    if free < needed_bytes:
        raise DatabaseError(
            f"not enough disk space for {what}: about {needed_bytes / 1e9:.1f} GB are needed, "
            f"{free / 1e9:.1f} GB are free. Make room (snipbench databases remove), or choose another --home"
        )


@dataclass(frozen=True, slots=True)
class Content:
    """What was built: the database that snippets see, and its tables' bytes with indexes and TOAST, by name."""

    database: str
    table_bytes: Mapping[str, int]


def build(cluster: Cluster, generator: Generator, workspace: Path, password: str) -> Content:
    """Fill the cluster's directory, which does not exist yet, and leave it cleanly shut down.

    Raises:
        DatabaseError: the content cannot be had or loaded, or the disk is full.
    """
    with _translated(cluster):
        if isinstance(generator, DataDirectoryGenerator):
            generator.take(cluster)
            cluster.configure()
        else:
            cluster.initialise()
        cluster.run_alone(roles.creation(password))
        login = Connection("", 0, "postgres", roles.ADMIN, password)
        server = cluster.serve(BUILD_SETTINGS, login)
        try:
            content = _fill(cluster, server.connection, generator, workspace)
        finally:
            server.stop()
        state = cluster.control().get("Database cluster state")
        if state != "shut down":
            raise DatabaseError(f"the prototype was not shut down cleanly ({state}):\n{log_tail(cluster.log)}")
    return content


def _fill(cluster: Cluster, login: Connection, generator: Generator, workspace: Path) -> Content:
    import psycopg
    from psycopg import sql

    with psycopg.connect(**login.parameters, autocommit=True) as session:
        if isinstance(generator, DataDirectoryGenerator):
            database = _only_database(session)
        else:
            database = DATABASE
            session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    connection = Connection(login.host, login.port, database, login.user, login.password)
    with psycopg.connect(**connection.parameters, autocommit=True) as session:
        generator.load(Loading(session, connection, cluster.clients, workspace))
        roles.confine(session, database)
        session.execute("VACUUM (FREEZE, ANALYZE)")
        session.execute("CHECKPOINT")
    return Content(database, {facts.name: facts.total_bytes for facts in table_facts(connection)})


def _only_database(session: Any) -> str:
    """The database of a foreign cluster that is meant: its only one besides ``postgres``, else ``postgres``."""
    names = [
        row[0]
        for row in session.execute(
            "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate AND datname <> 'postgres'"
            " ORDER BY datname"
        )
    ]
    if len(names) > 1:
        raise DatasetError(f"the data directory has several databases ({', '.join(names)}); it may have only one")
    return names[0] if names else "postgres"


@contextmanager
def _translated(cluster: Cluster) -> Iterator[None]:
    """Errors of psycopg and of the file system become ours; a full disk is called by its name."""
    import psycopg

    try:
        yield
    except (DatabaseError, psycopg.Error, OSError) as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        log = log_tail(cluster.log) if cluster.log.exists() else ""
        if full or "No space left on device" in f"{error}{log}":
            raise DatabaseError("not enough disk space: it ran out while the prototype was built") from error
        if isinstance(error, DatabaseError):
            raise
        raise DatabaseError(f"the prototype could not be built: {str(error).strip()}") from error
