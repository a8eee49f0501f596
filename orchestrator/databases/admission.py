"""Letting a fresh clone's users in: it equals its prototype, and its roles have passwords of its own."""

from __future__ import annotations

from pathlib import Path

from orchestrator.databases import roles
from orchestrator.databases.manifest import Manifest
from orchestrator.databases.port import Connection
from orchestrator.databases.statements import changed_settings
from snipbench.errors import DatabaseError


def refuse_if_different(manifest: Manifest, directory: Path) -> None:
    """DatabaseError unless a fresh clone's files have their prototype's names and sizes."""
    if differences := manifest.quick_differences(directory, times=False):
        raise DatabaseError(f"the clone does not equal its prototype: {'; '.join(differences[:3])}")


def admit(login: Connection) -> tuple[Connection, Connection, tuple[tuple[str, str], ...]]:
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
