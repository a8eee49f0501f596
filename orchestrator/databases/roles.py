"""The roles of a reference database: one for the platform, others for snippets, which can only read."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

ADMIN = "snipbench_admin"
RUN = "snipbench_run"
CANDIDATE = "snipbench_candidate"
"""Of the code that a proof doubts; it is made in the proof's own clone."""

WRITING_FUNCTIONS = (
    *("lo_creat", "lo_create", "lo_from_bytea", "lo_import", "lo_open", "lo_put", "lo_truncate", "lo_truncate64"),
    *("lo_unlink", "lowrite", "pg_logical_emit_message"),
)
"""Functions of the system that everybody may execute and that write."""


def new_password() -> str:
    """A password nobody can guess."""
    return secrets.token_urlsafe(24)


def creation(password: str) -> tuple[str, ...]:
    """Statements for single-user mode: the platform's role, and the snippets' role without a way in yet."""
    return (
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ADMIN}') THEN CREATE ROLE {ADMIN}; "
        f"END IF; IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{RUN}') THEN "
        f"RAISE EXCEPTION 'role {RUN} is there already'; END IF; END $$",
        f"ALTER ROLE {ADMIN} LOGIN SUPERUSER PASSWORD '{password}' VALID UNTIL 'infinity'",
        *_reader(RUN),
    )


def add_candidate(session: psycopg.Connection[Any], database: str, password: str) -> None:
    """Make one more role that can do what the run role can, and nothing to the run role.

    Raises:
        psycopg.Error: a role of that name is there already, or the server is away.
    """
    for statement in _reader(CANDIDATE):
        session.execute(statement.encode())
    confine(session, database, CANDIDATE)
    set_password(session, CANDIDATE, password)


def _reader(role: str) -> tuple[str, ...]:
    return (
        f"CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS",
        f"ALTER ROLE {role} SET default_transaction_read_only = on",
    )


def confine(session: psycopg.Connection[Any], database: str, role: str = RUN) -> None:
    """Leave everybody, and so the snippets' role, nothing but reading this one database.

    A read-only transaction is only a default that a client may change; the privileges are what holds.
    """
    from psycopg import sql

    for row in session.execute("SELECT datname FROM pg_database WHERE datallowconn"):
        session.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(row[0])))
    run, target = sql.Identifier(role), sql.Identifier(database)
    session.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(target, run))
    functions = session.execute(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE (pronamespace = 'pg_catalog'::regnamespace AND"
        " proname = ANY(%s)) OR (prosecdef AND prokind IN ('f', 'p', 'w') AND oid >= 16384)",
        (list(WRITING_FUNCTIONS),),
    ).fetchall()
    for (signature,) in functions:
        session.execute(sql.SQL("REVOKE EXECUTE ON ROUTINE {} FROM PUBLIC").format(sql.SQL(signature)))
    schemas = session.execute(
        "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"
    ).fetchall()
    for (name,) in schemas:
        schema = sql.Identifier(name)
        for statement in (
            "REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC",
            "REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM PUBLIC",
            "REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM PUBLIC",
            "GRANT USAGE ON SCHEMA {schema} TO {run}",
            "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {run}",
        ):
            session.execute(sql.SQL(statement).format(schema=schema, run=run))


def set_password(session: psycopg.Connection[Any], role: str, password: str) -> None:
    """Change a role's password; only its SCRAM verifier travels, so that no log can show it."""
    from psycopg import sql

    verifier = session.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    session.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier)))
