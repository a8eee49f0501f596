"""What each generator makes, in a real PostgreSQL."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestrator.databases.account import server_account
from orchestrator.databases.embedded import EmbeddedProvider
from orchestrator.databases.install import find_install
from orchestrator.databases.port import Connection
from snipbench.domain.order import CsvFolder, Database, DataDirectory, Dataset, Pgbench, SqlFile, Tpch
from snipbench.errors import DatabaseError

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedProvider:
    return EmbeddedProvider(tmp_path_factory.mktemp("home"))


def of(dataset: Dataset) -> Database:
    return Database(name="db", dataset=dataset)


@contextmanager
def serving(provider: EmbeddedProvider, dataset: Dataset, base: Path = Path()) -> Iterator[Connection]:
    """The admin's login to a clone."""
    clone = provider.clone(provider.prepare(of(dataset), base), of(dataset), owner="task-test")
    try:
        yield clone.admin
    finally:
        provider.release(clone.clone_id)


def ask(connection: Connection, query: str) -> list[Any]:
    with psycopg.connect(**connection.parameters) as session:
        return session.execute(query.encode()).fetchall()


def types(connection: Connection, table: str) -> dict[str, str]:
    return dict(
        ask(
            connection,
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
            f" WHERE attrelid = '{table}'::regclass AND attnum > 0 ORDER BY attnum",
        )
    )


def test_tpch_has_its_keys_indexes_and_statistics_and_is_frozen(provider: EmbeddedProvider) -> None:
    with serving(provider, Tpch(generator="tpch", scale=0.001)) as connection:
        keys = dict(
            ask(
                connection,
                "SELECT contype::text, count(*) FROM pg_constraint"
                " WHERE contype IN ('p', 'f') AND conrelid >= 16384 GROUP BY 1",
            )
        )
        indexed = {
            row[0]
            for row in ask(
                connection,
                "SELECT DISTINCT a.attname FROM pg_index i JOIN pg_attribute a"
                " ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] WHERE i.indrelid >= 16384",
            )
        }
        unanalysed = ask(
            connection, "SELECT relname FROM pg_class WHERE relkind = 'r' AND oid >= 16384 AND reltuples < 0"
        )
        thawed = ask(
            connection,
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND oid >= 16384 AND relallvisible < relpages",
        )
        invalid = ask(connection, "SELECT conname FROM pg_constraint WHERE NOT convalidated")
    assert keys == {"p": 8, "f": 8}
    assert {"o_orderdate", "l_shipdate", "l_commitdate", "l_receiptdate", "o_custkey", "l_partkey"} <= indexed
    assert unanalysed == thawed == invalid == []


def test_tpch_without_a_single_supplier_is_refused(provider: EmbeddedProvider) -> None:
    with pytest.raises(DatabaseError, match=r"must be at least 0\.0001"):
        provider.prepare(of(Tpch(generator="tpch", scale=0.00001)), Path())


def test_pgbench_equals_what_pgbench_itself_makes(provider: EmbeddedProvider) -> None:
    digest = "SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {} t"
    tables = ["pgbench_branches", "pgbench_tellers", "pgbench_accounts", "pgbench_history"]
    structure = (
        "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, c.reloptions,"
        " (SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'p')"
        " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relname LIKE 'pgbench%' AND c.relkind = 'r' AND a.attnum > 0 ORDER BY 1, a.attnum"
    )
    with serving(provider, Pgbench(generator="pgbench", scale=1)) as connection:
        ours = [ask(connection, digest.format(table)) for table in tables], ask(connection, structure)
        pgbench = find_install(server_account()).program("pgbench")
        login = ["-h", connection.host, "-p", str(connection.port), "-U", connection.user]
        subprocess.run(
            [pgbench, "-i", "-q", "-s", "1", *login, connection.database],
            env={"PGPASSWORD": connection.password},
            check=True,
            capture_output=True,
        )
        theirs = [ask(connection, digest.format(table)) for table in tables], ask(connection, structure)
    assert ours == theirs


def test_pgbench_takes_a_fraction(provider: EmbeddedProvider) -> None:
    with serving(provider, Pgbench(generator="pgbench", scale=0.01)) as connection:
        assert ask(connection, "SELECT count(*), max(bid) FROM pgbench_accounts") == [(1000, 1)]


def test_a_sql_script_with_inline_copy_is_loaded(provider: EmbeddedProvider, tmp_path: Path) -> None:
    (tmp_path / "shop.sql").write_text(
        "\\restrict abc123\n"
        "SET client_encoding = 'UTF8';\n"
        "CREATE TABLE item (id int PRIMARY KEY, name text);\n"
        "COPY item (id, name) FROM stdin;\n1\tapple\n2\t\\N\n\\.\n"
        "CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql AS $$ SELECT x * 2; $$;\n"
        "CREATE SCHEMA extra; CREATE TABLE extra.more AS SELECT 1 AS one;\n"
        "\\unrestrict abc123\n"
    )
    dataset = SqlFile(sql="shop.sql")
    clone = provider.clone(provider.prepare(of(dataset), tmp_path), of(dataset), owner="task-test")
    try:
        assert ask(clone.run, "SELECT id, name FROM item ORDER BY id") == [(1, "apple"), (2, None)]
        assert ask(clone.run, "SELECT twice(one) FROM extra.more") == [(2,)]
    finally:
        provider.release(clone.clone_id)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            "CREATE TABLE a (x int);\nINSERT INTO a VALUES (1), ('x');\n",
            r"broken\.sql:2: ERROR: .*invalid input syntax",
        ),
        ("SELECT 1;\n\\! touch owned\n", r"broken\.sql:2: .*restricted"),
        ("\\i other.sql\n", "restricted"),
        ("ALTER DATABASE snipbench OWNER TO alice;\n", "--no-owner"),
        (
            "begin; create table a (x int);\ncommit;\nbegin;\ncreate table b (x int);\nsavepoint c;\nrollback to c;\n",
            r"broken\.sql:3: the transaction that begins here is never committed",
        ),
    ],
)
def test_a_sql_script_that_fails_is_named_with_its_line_and_leaves_nothing(
    provider: EmbeddedProvider, tmp_path: Path, script: str, words: str
) -> None:
    (tmp_path / "broken.sql").write_text(script)
    before = provider.prototypes()
    with pytest.raises(DatabaseError, match=words):
        provider.prepare(of(SqlFile(sql="broken.sql")), tmp_path)
    assert provider.prototypes() == before
    assert list(provider.reap()) == []


def test_the_hash_follows_the_files_content_not_its_place(provider: EmbeddedProvider, tmp_path: Path) -> None:
    for place, text in (("a", "SELECT 1;"), ("b", "SELECT 1;"), ("c", "SELECT 2;")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "x.sql").write_text(text)
    first, same, other = (provider.dataset_hash(of(SqlFile(sql="x.sql")), tmp_path / place) for place in "abc")
    assert first == same
    assert first != other


def test_csv_types_are_inferred_from_every_value(provider: EmbeddedProvider, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "orders.csv").write_bytes(
        b"\xef\xbb\xbfid,big,price,day,at,at_zone,zip,ok,note,empty,Mixed Case\r\n"
        b'1,3000000000,1.5,2024-02-29,2024-01-01 10:00,2024-01-01T10:00:00+02:00,01234,true,"a, ""b""",,today\r\n'
        b'2,,2,2024-03-01,2024-01-01T10:00:01.5,2024-01-01 10:00:00Z,99999,False,"",,7\r\n'
    )
    (tmp_path / "shop" / "nothing.csv").write_text("x,y\n")
    with serving(provider, CsvFolder(csv="shop"), tmp_path) as connection:
        assert types(connection, "orders") == {
            "id": "integer",
            "big": "bigint",
            "price": "double precision",
            "day": "date",
            "at": "timestamp without time zone",
            "at_zone": "timestamp with time zone",
            "zip": "text",
            "ok": "boolean",
            "note": "text",
            "empty": "text",
            "Mixed Case": "text",
        }
        assert types(connection, "nothing") == {"x": "text", "y": "text"}
        rows = ask(connection, "SELECT id, big, price, day, at, at_zone, zip, ok, note, empty FROM orders ORDER BY id")
    assert rows[0] == (
        *(1, 3_000_000_000, 1.5, date(2024, 2, 29), datetime(2024, 1, 1, 10)),  # noqa: DTZ001
        *(datetime(2024, 1, 1, 8, tzinfo=UTC), "01234", True, 'a, "b"', None),
    )
    assert rows[1][1] is None
    assert rows[1][7:] == (False, "", None)


@pytest.mark.parametrize("count", [237, 238, 1600])
def test_a_wide_csv_gets_its_types_too(provider: EmbeddedProvider, tmp_path: Path, count: int) -> None:
    kinds = [("integer", "1"), ("boolean", "true"), ("date", "2026-01-31"), ("text", "a")]
    columns = [kinds[number % len(kinds)] for number in range(count)]
    lines = [",".join(f"c{number}" for number in range(count)), ",".join(value for _, value in columns)]
    (tmp_path / "wide.csv").write_text("\n".join(lines) + "\n")
    with serving(provider, CsvFolder(csv="."), tmp_path) as connection:
        assert list(types(connection, "wide").values()) == [kind for kind, _ in columns]


def test_csv_types_can_be_declared_and_tables_are_filled_in_the_order_of_their_keys(
    provider: EmbeddedProvider, tmp_path: Path
) -> None:
    (tmp_path / "a_child.csv").write_text("parent,price\n1,1.10\n")
    (tmp_path / "b_parent.csv").write_text("id\n1\n")
    (tmp_path / "schema.sql").write_text(
        "CREATE TABLE b_parent (id bigint PRIMARY KEY, note text DEFAULT 'none');\n"
        "CREATE TABLE a_child (price numeric(10,2), parent bigint REFERENCES b_parent);\n"
    )
    with serving(provider, CsvFolder(csv="."), tmp_path) as connection:
        assert types(connection, "a_child") == {"price": "numeric(10,2)", "parent": "bigint"}
        assert ask(connection, "SELECT price::text, note FROM a_child JOIN b_parent ON id = parent") == [
            ("1.10", "none")
        ]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, r"no file \*\.csv"),
        ({"no-table.csv": "x\n"}, "cannot be a table's name"),
        ({"a.csv": "x,x\n1,2\n"}, "a.csv:1: column named twice: x"),
        (
            {"a.csv": ",".join(f"c{number}" for number in range(1601))},
            "a.csv:1: 1601 columns; a table has at most 1600",
        ),
        ({"a.csv": "x,\n1,2\n"}, "must name every column"),
        ({"a.csv": ""}, "must name every column"),
        ({"a.csv": "x" * 200_000}, "header line cannot be read: field larger"),
        ({"a.csv": "\udce9\n1\n"}, "header line cannot be read: it is not UTF-8"),
        ({"a.csv": "x\n1\n\udce9\n"}, r"a\.csv: invalid byte sequence .*line 3"),
        ({"a.csv": "x,y\n1,2\n3\n"}, r"a\.csv: missing data for column .*line 3"),
        ({"a.csv": "x\nq\n", "schema.sql": "CREATE TABLE a (x int);"}, r"a\.csv: invalid input syntax .*line 2"),
        ({"a.csv": "x\n1\n", "schema.sql": "CREATE TABLE b (x int);"}, r"creates no table for a\.csv"),
        ({"a.csv": "x\n1\n", "schema.sql": "CREATE TABLE a (x int); CREATE TABLE b (x int);"}, "without a CSV file: b"),
        ({"a.csv": "x\n1\n", "schema.sql": "CREATE TABEL a (x int);"}, r"schema\.sql:1: ERROR: +syntax error"),
    ],
)
def test_a_csv_folder_that_cannot_be_loaded_says_where(
    provider: EmbeddedProvider, tmp_path: Path, files: dict[str, str], words: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8", errors="surrogateescape")
    with pytest.raises(DatabaseError, match=words):
        provider.prepare(of(CsvFolder(csv=".")), tmp_path)


@pytest.mark.parametrize(
    "dataset", [SqlFile(sql="gone.sql"), CsvFolder(csv="gone"), DataDirectory(data_directory="gone")]
)
def test_missing_files_are_a_database_error(provider: EmbeddedProvider, tmp_path: Path, dataset: Dataset) -> None:
    with pytest.raises(DatabaseError, match="gone"):
        provider.dataset_hash(of(dataset), tmp_path)


@pytest.fixture(scope="module")
def foreign(provider: EmbeddedProvider, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shut down data directory of a server that is not ours: its own superuser, configuration and two old roles."""
    from orchestrator.databases.port import Connection as Login
    from orchestrator.databases.server import HERE, HOST, LocalCluster
    from snipbench.clock import SystemClock

    account = server_account()
    cluster = LocalCluster(find_install(account), account, tmp_path_factory.mktemp("foreign"), SystemClock())
    cluster.initialise()
    cluster.run_alone(
        [
            "CREATE ROLE boss SUPERUSER LOGIN PASSWORD 'secret'",
            "CREATE DATABASE sales",
        ]
    )
    server = cluster.serve({"autovacuum": "off"}, Login(HOST, 0, "sales", "boss", "secret"))
    with psycopg.connect(**server.connection.parameters) as session:
        session.execute("CREATE TABLE deal AS SELECT 41 + 1 AS answer")
        session.execute("GRANT ALL ON deal TO PUBLIC")
    server.stop()
    with (cluster.directory / "postgresql.conf").open("a") as conf:
        conf.write("\nshared_preload_libraries = 'not_there'\nlisten_addresses = '*'\n")
    assert HERE == "/proc/self/cwd"
    return cluster.directory


def contents(directory: Path) -> dict[str, tuple[bytes, int]]:
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in directory.rglob("*") if path.is_file()}


def test_a_data_directory_is_copied_confined_and_never_touched(provider: EmbeddedProvider, foreign: Path) -> None:
    dataset = DataDirectory(data_directory=foreign.name)
    before = contents(foreign)
    clone = provider.clone(provider.prepare(of(dataset), foreign.parent), of(dataset), owner="task-test")
    try:
        assert clone.run.database == "sales"
        assert ask(clone.run, "SELECT answer FROM deal") == [(42,)]
        with psycopg.connect(**clone.run.parameters, autocommit=True) as session:
            session.execute("SET default_transaction_read_only = off")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute("DELETE FROM deal")
    finally:
        provider.release(clone.clone_id)
    assert contents(foreign) == before


def live(copy: Path) -> None:
    (copy / "postmaster.pid").write_text("1\n")


def crashed(copy: Path) -> None:
    control = copy / "global" / "pg_control"
    image = bytearray(control.read_bytes())
    image[16:20] = (6).to_bytes(4, "little")  # DB_IN_PRODUCTION in the field "state"
    control.write_bytes(image)


def older(copy: Path) -> None:
    (copy / "PG_VERSION").write_text("13\n")


def standby(copy: Path) -> None:
    (copy / "standby.signal").touch()


def reaching_outside(copy: Path) -> None:
    (copy / "pg_tblspc" / "16999").symlink_to(copy.parent)


def not_one(copy: Path) -> None:
    (copy / "PG_VERSION").unlink()


def without_control(copy: Path) -> None:
    (copy / "global" / "pg_control").unlink()


def without_tablespaces(copy: Path) -> None:
    (copy / "pg_tblspc").rmdir()


def with_a_link_to_nothing(copy: Path) -> None:
    (copy / "base" / "gone").symlink_to("nothing")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (live, r"postmaster\.pid"),
        (crashed, "not shut down cleanly"),
        (older, "made by PostgreSQL 13; the server here is 18"),
        (standby, r"standby\.signal"),
        (reaching_outside, "tablespaces"),
        (not_one, "no PostgreSQL data directory"),
        (without_control, "no PostgreSQL data directory: it has no file global/pg_control"),
        (without_tablespaces, "pg_tblspc cannot be read: No such file"),
        (with_a_link_to_nothing, "gone cannot be read: No such file"),
    ],
)
def test_an_unfit_data_directory_is_refused_with_the_reason(
    provider: EmbeddedProvider, foreign: Path, tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(foreign, copy)
    spoil(copy)
    with pytest.raises(DatabaseError, match=words):
        provider.prepare(of(DataDirectory(data_directory="copy")), tmp_path)
    assert list(provider.reap()) == []
