"""What every reference database provider does, whatever serves it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestrator.databases.docker.provider import DockerProvider
from orchestrator.databases.embedded import EmbeddedProvider
from orchestrator.databases.port import Connection, DatabaseProvider, Prototype, ReferenceDatabase
from orchestrator.databases.statements import cancel_backends, table_facts
from snipbench.domain.order import CloneChoice, Database, Limits, Tpch
from snipbench.errors import DatabaseError
from tests.servers.initializer_server import TOKEN, Submitting, initializer_server

pytestmark = pytest.mark.postgres

ROOT = Path(__file__).parents[2]

TPCH_ROWS = {
    "customer": 1500,
    "lineitem": 60175,
    "nation": 25,
    "orders": 15000,
    "part": 2000,
    "partsupp": 8000,
    "region": 5,
    "supplier": 100,
}


@pytest.fixture(scope="session", params=["embedded", pytest.param("docker", marks=pytest.mark.docker), "remote"])
def provider(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedProvider | DockerProvider | Submitting]:
    home = tmp_path_factory.mktemp(request.param)
    if request.param == "remote":
        with initializer_server(EmbeddedProvider(home), home) as remote:
            yield remote
    else:
        yield EmbeddedProvider(home) if request.param == "embedded" else DockerProvider(home)


def constructor(provider: DatabaseProvider, home: str) -> str:
    """How another process makes the same provider."""
    if isinstance(provider, Submitting):
        return f"from orchestrator.databases.remote import RemoteProvider as P; p = P({provider.url!r}, {TOKEN!r})"
    kind = type(provider)
    return f"from {kind.__module__} import {kind.__name__} as P; p = P(Path({home!r}))"


def shop(**changes: Any) -> Database:
    return Database(name="shop", dataset=Tpch(generator="tpch", scale=0.01), **changes)


@pytest.fixture(scope="session")
def prototype(provider: DatabaseProvider) -> Prototype:
    return provider.prepare(shop(), Path())


@pytest.fixture(scope="session")
def served(provider: DatabaseProvider, prototype: Prototype) -> Iterator[ReferenceDatabase]:
    """A clone for tests that only read."""
    clone = provider.clone(prototype, shop(), owner="task-shared")
    yield clone
    provider.release(clone.clone_id)


def ask(connection: Connection, query: str) -> list[Any]:
    with psycopg.connect(**connection.parameters) as session:
        return session.execute(query.encode()).fetchall()


def test_a_prototype_is_built_once_and_then_found(provider: DatabaseProvider, prototype: Prototype) -> None:
    again = provider.prepare(shop(), Path())
    assert not again.built
    assert (again.prototype_key, again.manifest_hash) == (prototype.prototype_key, prototype.manifest_hash)
    assert [found.prototype_key for found in provider.prototypes()] == [prototype.prototype_key]
    assert again.dataset_hash == provider.dataset_hash(shop(), Path())


def test_the_dataset_hash_depends_on_the_content_only(provider: DatabaseProvider) -> None:
    same = Database(name="other", dataset=Tpch(generator="tpch", scale=0.01), settings={"work_mem": "8MB"})
    bigger = Database(name="shop", dataset=Tpch(generator="tpch", scale=0.02))
    assert provider.dataset_hash(same, Path("elsewhere")) == provider.dataset_hash(shop(), Path())
    assert provider.dataset_hash(bigger, Path()) != provider.dataset_hash(shop(), Path())


def test_the_run_role_sees_every_table(served: ReferenceDatabase) -> None:
    counts = {table: ask(served.run, f"SELECT count(*) FROM {table}")[0][0] for table in TPCH_ROWS}
    assert counts == TPCH_ROWS


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO region VALUES (9, 'X', '')",
        "UPDATE region SET r_name = 'X'",
        "DELETE FROM lineitem",
        "TRUNCATE lineitem",
        "DROP TABLE region",
        "ALTER TABLE region ADD COLUMN x int",
        "CREATE TABLE mine (x int)",
        "CREATE TEMP TABLE mine (x int)",
        "CREATE SCHEMA mine",
        "CREATE DATABASE mine",
        "CREATE ROLE mine",
        "CREATE INDEX ON region (r_name)",
        "CREATE VIEW mine AS SELECT 1",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT lo_create(0)",
        "SELECT pg_logical_emit_message(true, 'a', 'b')",
        "SELECT * FROM pg_authid",
        "SELECT pg_read_file('PG_VERSION')",
        "COPY region TO '/tmp/region'",
        "COPY region TO PROGRAM 'cat'",
        "SET ROLE snipbench_admin",
        "CHECKPOINT",
        "ALTER SYSTEM SET work_mem = '1GB'",
        "SELECT 1 FROM region FOR UPDATE",
    ],
)
def test_the_run_role_cannot_write_even_after_leaving_read_only_mode(served: ReferenceDatabase, statement: str) -> None:
    with psycopg.connect(**served.run.parameters, autocommit=True) as session:
        session.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement.encode())


def test_the_run_role_reads_only_by_default_and_is_nobody_special(served: ReferenceDatabase) -> None:
    assert ask(served.run, "SHOW transaction_read_only") == [("on",)]
    flags = ask(
        served.run,
        "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls,"
        " (SELECT count(*) FROM pg_auth_members WHERE member = r.oid) FROM pg_roles r WHERE rolname = current_user",
    )
    assert flags == [(False, False, False, False, False, 0)]


def test_the_run_role_reaches_no_other_database_and_needs_its_password(served: ReferenceDatabase) -> None:
    for changes in ({"dbname": "postgres"}, {"dbname": "template1"}, {"password": "wrong"}, {"password": ""}):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(**(served.run.parameters | changes))


def test_clones_have_passwords_of_their_own_that_are_not_shown(served: ReferenceDatabase) -> None:
    assert served.run.password != served.admin.password
    assert served.run.password not in repr(served)
    assert served.admin.password not in repr(served)


def test_two_clones_at_once_do_not_see_each_other(
    provider: DatabaseProvider, prototype: Prototype, served: ReferenceDatabase
) -> None:
    other = provider.clone(prototype, shop(), owner="task-other")
    try:
        with psycopg.connect(**other.admin.parameters) as session:
            session.execute("DELETE FROM lineitem WHERE l_orderkey > 100")
        count = "SELECT count(*) FROM lineitem WHERE l_orderkey > 100"
        assert ask(other.run, count) == [(0,)]
        assert ask(served.run, count)[0][0] > 50_000
        assert other.run.password != served.run.password
    finally:
        provider.release(other.clone_id)
    assert list(provider.verify(prototype)) == []


def test_release_ends_the_server_and_twice_is_no_error(provider: DatabaseProvider, prototype: Prototype) -> None:
    clone = provider.clone(prototype, shop(), owner="task-released")
    provider.release(clone.clone_id)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(**clone.run.parameters)
    provider.release(clone.clone_id)


def test_a_clone_tells_how_it_was_made_and_what_it_is(served: ReferenceDatabase, prototype: Prototype) -> None:
    assert served.prototype.prototype_key == prototype.prototype_key
    assert served.strategy in {"copy", "reflink"}
    assert served.strategy_reason.startswith("auto")
    assert served.target.name == "database:shop"
    assert served.server_version == prototype.server_version
    assert dict(served.settings)["autovacuum"] == "off"
    assert served.clone_seconds > 0
    assert served.start_seconds > 0


def test_another_process_finds_a_clone_that_is_served(provider: DatabaseProvider, prototype: Prototype) -> None:
    clone = provider.clone(prototype, shop(settings={"work_mem": "8MB"}), owner="task-found")
    try:
        home = str(prototype.directory).partition("/databases/")[0]
        program = f"from pathlib import Path; {constructor(provider, home)}; print(repr(p.find({clone.clone_id!r})))"
        command = [sys.executable, "-c", program]
        told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
        found = provider.find(clone.clone_id)
    finally:
        provider.release(clone.clone_id)
    assert found == clone
    assert told == repr(found)
    assert clone.run.password not in told


def test_a_clone_tells_whose_it_is_as_long_as_it_is_there(provider: DatabaseProvider, prototype: Prototype) -> None:
    clone = provider.clone(prototype, shop(), owner="task-owning")
    assert provider.clones()[clone.clone_id] == "task-owning"
    provider.release(clone.clone_id)
    assert clone.clone_id not in provider.clones()


def test_no_clone_is_found_that_was_released_or_never_was(provider: DatabaseProvider, prototype: Prototype) -> None:
    clone = provider.clone(prototype, shop(), owner="task-forgotten")
    provider.release(clone.clone_id)
    for clone_id in (clone.clone_id, "clone-20260101-000000-abcdef", "../prototypes", ""):
        with pytest.raises(DatabaseError, match="no clone"):
            provider.find(clone_id)


def test_passwords_beside_a_clone_are_read_by_its_owner_only(
    provider: DatabaseProvider, prototype: Prototype, served: ReferenceDatabase
) -> None:
    clones = prototype.directory.parents[2] / "clones"
    holding = [
        file
        for file in (clones / served.clone_id).glob("*")
        if file.is_file() and served.run.password in file.read_text("utf-8", "replace")
    ]
    assert holding
    assert all(file.stat().st_mode & 0o077 == 0 for file in holding)


def test_settings_of_the_order_hold_and_are_reported(provider: DatabaseProvider, prototype: Prototype) -> None:
    settings = {"shared_buffers": "64MB", "jit": False, "work_mem": "8MB", "random_page_cost": 1.5}
    clone = provider.clone(prototype, shop(settings=settings), owner="task-settings")
    try:
        shown = [ask(clone.run, f"SHOW {name}")[0][0] for name in settings]
    finally:
        provider.release(clone.clone_id)
    assert shown == ["64MB", "off", "8MB", "1.5"]
    assert {"shared_buffers": "64MB", "jit": "off", "work_mem": "8MB", "random_page_cost": "1.5"}.items() <= dict(
        clone.settings
    ).items()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"shared_bufers": "64MB"}, 'unrecognized configuration parameter "shared_bufers"'),
        ({"work_mem": "a lot"}, 'invalid value for parameter "work_mem"'),
        ({"port": 5432}, "port is set by snipbench itself"),
        ({"x;y": 1}, "is not the name of a PostgreSQL setting"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_in_postgresqls_words(
    provider: DatabaseProvider, prototype: Prototype, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(DatabaseError, match=words):
        provider.clone(prototype, shop(settings=settings), owner="task-broken")


def test_limits_are_honoured_or_reported_as_ignored(provider: DatabaseProvider, prototype: Prototype) -> None:
    asked = shop(limits=Limits(cpus=1, memory=1 << 30))
    if isinstance(provider, EmbeddedProvider | Submitting):
        clone = provider.clone(prototype, asked.model_copy(update={"image": "postgres:17"}), owner="task-limits")
        assert clone.ignored == ("image", "limits.cpus", "limits.memory")
    else:
        clone = provider.clone(prototype, asked, owner="task-limits")
        assert clone.ignored == ()
    provider.release(clone.clone_id)


def test_copy_can_be_asked_for(provider: DatabaseProvider, prototype: Prototype) -> None:
    clone = provider.clone(prototype, shop(clone=CloneChoice.COPY), owner="task-copy")
    provider.release(clone.clone_id)
    assert (clone.strategy, clone.strategy_reason) == ("copy", "the order asks for copy")


def test_a_prototype_in_use_cannot_be_removed(
    provider: DatabaseProvider, prototype: Prototype, served: ReferenceDatabase
) -> None:
    with pytest.raises(DatabaseError, match=served.clone_id):
        provider.remove(prototype)


def test_cancelling_ends_the_statements_of_one_application_and_leaves_its_sessions(served: ReferenceDatabase) -> None:
    outcome: list[str] = []
    connected = threading.Event()

    def sleep() -> None:
        with psycopg.connect(**served.run.parameters, application_name="run-1", autocommit=True) as session:
            connected.set()
            try:
                session.execute("SELECT pg_sleep(60)")
            except psycopg.errors.QueryCanceled:
                outcome.append("cancelled")
            outcome.append(str(session.execute("SELECT 7").fetchone()))

    with psycopg.connect(**served.run.parameters, application_name="run-2", autocommit=True) as bystander:
        thread = threading.Thread(target=sleep)
        thread.start()
        assert connected.wait(120)
        cancelled = 0
        while cancelled == 0 and thread.is_alive():
            cancelled = cancel_backends(served.admin, "run-1")
        thread.join(120)
        assert bystander.execute("SELECT 1").fetchone() == (1,)
    assert cancelled == 1
    assert outcome == ["cancelled", "(7,)"]
    assert cancel_backends(served.admin, "run-1") == 0


def test_an_unreachable_database_is_a_database_error(provider: DatabaseProvider, prototype: Prototype) -> None:
    clone = provider.clone(prototype, shop(), owner="task-gone")
    provider.release(clone.clone_id)
    with pytest.raises(DatabaseError):
        cancel_backends(clone.admin, "run")
    with pytest.raises(DatabaseError):
        table_facts(clone.admin)


def test_table_facts_know_rows_and_widths(served: ReferenceDatabase) -> None:
    facts = {table.name: table for table in table_facts(served.admin)}
    assert {name: table.rows for name, table in facts.items()} == TPCH_ROWS
    assert facts["lineitem"].columns[0].name == "l_orderkey"
    assert facts["lineitem"].columns[0].type == "bigint"
    assert facts["nation"].columns[0].width_bytes == 4
    width = facts["lineitem"].row_width_bytes
    assert width is not None
    assert 80 < width < 150


def test_table_facts_know_how_numbers_are_spread(served: ReferenceDatabase) -> None:
    columns = {(table.name, column.name): column for table in table_facts(served.admin) for column in table.columns}
    keys = columns["orders", "o_orderkey"].quantiles
    assert list(keys) == sorted(keys)
    assert 2 < len(keys) <= 21
    assert keys[0] >= 1
    assert columns["orders", "o_comment"].quantiles == ()


def test_a_damaged_prototype_is_found_by_verify_and_not_cloned(
    provider: DatabaseProvider, prototype: Prototype, tmp_path: Path
) -> None:
    victim = next(path for path in sorted(prototype.directory.rglob("*")) if path.is_file() and path.stat().st_size)
    kept, status = tmp_path / "kept", victim.stat()
    shutil.copy2(victim, kept)
    victim.chmod(0o600)
    with victim.open("r+b") as stream:
        first = stream.read(1)
        stream.seek(0)
        stream.write(bytes([first[0] ^ 1]))
    try:
        assert [line for line in provider.verify(prototype) if "content differs" in line]
        with pytest.raises(DatabaseError, match="changed after it was built"):
            provider.clone(prototype, shop(), owner="task-damaged")
    finally:
        shutil.copy2(kept, victim)
        victim.chmod(status.st_mode)
    assert list(provider.verify(prototype)) == []
