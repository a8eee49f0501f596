"""A folder with one CSV file per table (``orders.csv`` fills ``orders``), header line first, UTF-8, comma.

Types come from ``schema.sql`` in the folder, which then has to create every table, or are inferred per column from
*all* its values: ``boolean`` (true/false), ``integer``, ``bigint``, ``double precision``, ``date``, ``timestamp``,
``timestamptz`` (ISO 8601), else ``text``. A number with leading zeros is text; decimals become ``double precision``
(``numeric`` only by ``schema.sql``). An empty field is NULL, ``""`` is the empty text.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from orchestrator.databases.generators.base import Loading
from orchestrator.databases.generators.contents import file_hash
from orchestrator.databases.generators.sql_script import run_script
from snipbench.errors import DatasetError

SCHEMA_FILE = "schema.sql"
TABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
MAX_COLUMNS = 1600
"""Of a table in PostgreSQL."""
COLUMNS_AT_ONCE = 200
"""So many are looked at in one query: it makes a value per column and type, of which PostgreSQL takes 1,664."""
BOM = b"\xef\xbb\xbf"

INFERRED: Mapping[str, str] = {
    "boolean": r"^(true|false|TRUE|FALSE|True|False)$",
    "integer": r"^-?(0|[1-9]\d*)$",
    "bigint": r"^-?(0|[1-9]\d*)$",
    "double precision": r"^(-?(0|[1-9]\d*)?(\.\d*)?([eE][+-]?\d+)?|NaN|-?Infinity)$",
    "date": r"^\d{4}-\d{2}-\d{2}$",
    "timestamp": r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?$",
    "timestamptz": r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)? ?(Z|[+-]\d{2}(:?\d{2})?)$",
}
"""Types in order of preference, and how every value of such a column is written; PostgreSQL must accept it as well."""


@dataclass(frozen=True, slots=True)
class CsvGenerator:
    """A folder of the user's with CSV files."""

    folder: Path
    name: str = "csv"
    version: int = 1

    def identity(self) -> Mapping[str, Any]:
        return {"files": {path.name: file_hash(path) for path in (*self._files(), *self._schema())}}

    def summary(self) -> str:
        return self.folder.name

    def expected_bytes(self) -> int:
        return 4 * sum(path.stat().st_size for path in self._files())

    def load(self, loading: Loading) -> None:
        files = {path.stem: path for path in self._files()}
        for path in self._schema():
            run_script(loading, path)
            self._load_declared(loading, files)
            return
        for table, path in files.items():
            _load_inferred(loading, table, path)

    def _files(self) -> list[Path]:
        if not self.folder.is_dir():
            raise DatasetError(f"the dataset's folder {self.folder} is not there")
        files = sorted(self.folder.glob("*.csv"))
        if not files:
            raise DatasetError(f"the dataset's folder {self.folder} has no file *.csv")
        for path in files:
            if not TABLE_NAME.fullmatch(path.stem):
                raise DatasetError(
                    f"{path.name}: {path.stem!r} cannot be a table's name (letters, digits, _; at most 63)"
                )
        return files

    def _schema(self) -> list[Path]:
        path = self.folder / SCHEMA_FILE
        return [path] if path.exists() else []

    def _load_declared(self, loading: Loading, files: Mapping[str, Path]) -> None:
        session = loading.session
        declared = {
            row[0]
            for row in session.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            )
        }
        if missing := sorted(files.keys() - declared):
            raise DatasetError(f"{SCHEMA_FILE} creates no table for {', '.join(f'{name}.csv' for name in missing)}")
        if empty := sorted(declared - files.keys()):
            raise DatasetError(f"{SCHEMA_FILE} creates tables without a CSV file: {', '.join(empty)}")
        for table in _referenced_first(loading, sorted(files)):
            _copy(loading, table, _header(files[table]), files[table])


def _load_inferred(loading: Loading, table: str, path: Path) -> None:
    """Load as text, see which types every value of a column has, and make the table of them."""
    from psycopg import sql

    session = loading.session
    columns = _header(path)
    texts = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(column)) for column in columns)
    with session.transaction():
        session.execute(sql.SQL("CREATE TEMP TABLE staged ({})").format(texts))
        _copy(loading, "staged", columns, path)
        types = [
            name
            for start in range(0, len(columns), COLUMNS_AT_ONCE)
            for name in _types(loading, columns[start : start + COLUMNS_AT_ONCE])
        ]
        typed = sql.SQL(", ").join(
            sql.SQL("{column}::{type} AS {column}").format(column=sql.Identifier(column), type=sql.SQL(name))
            for column, name in zip(columns, types, strict=True)
        )
        session.execute(sql.SQL("CREATE TABLE {} AS SELECT {} FROM staged").format(sql.Identifier(table), typed))
        session.execute("DROP TABLE staged")


def _types(loading: Loading, columns: Sequence[str]) -> list[str]:
    """The type of each column of the staged table that all its values have."""
    from psycopg import sql

    checks = sql.SQL(", ").join(
        sql.SQL("bool_and({column} ~ {shape} AND pg_input_is_valid({column}, {type}))").format(
            column=sql.Identifier(column), shape=sql.Literal(shape), type=sql.Literal(name)
        )
        for column in columns
        for name, shape in INFERRED.items()
    )
    row = loading.session.execute(sql.SQL("SELECT {} FROM staged").format(checks)).fetchone() or ()
    return [
        next((name for name, fits in zip(INFERRED, row[start : start + len(INFERRED)], strict=True) if fits), "text")
        for start in range(0, len(row), len(INFERRED))
    ]


def _copy(loading: Loading, table: str, columns: Sequence[str], path: Path) -> None:
    import psycopg
    from psycopg import sql

    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN WITH (FORMAT csv, HEADER true, ENCODING 'UTF8')").format(
        sql.Identifier(table), names
    )
    try:
        with path.open("rb") as source:
            if source.read(len(BOM)) != BOM:
                source.seek(0)
            loading.copy_in(statement.as_string(loading.session), source)
    except psycopg.Error as error:
        where = (error.diag.context or "").replace(f"COPY {table}, ", "")
        raise DatasetError(f"{path.name}: {error.diag.message_primary or error} ({where})") from error


def _header(path: Path) -> list[str]:
    """Names of the columns, as written in the first line."""
    try:
        # Bytes that are no UTF-8 may stand further down; there PostgreSQL tells the line.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            columns = next(csv.reader(stream), [])
        "".join(columns).encode()
    except (OSError, UnicodeEncodeError, csv.Error) as error:
        reason = "it is not UTF-8" if isinstance(error, UnicodeEncodeError) else error
        raise DatasetError(f"{path.name}: the header line cannot be read: {reason}") from error
    if not columns or not all(column.strip() for column in columns):
        raise DatasetError(f"{path.name}:1: the header line must name every column")
    if len(columns) > MAX_COLUMNS:
        raise DatasetError(f"{path.name}:1: {len(columns)} columns; a table has at most {MAX_COLUMNS}")
    if repeated := sorted({column for column in columns if columns.count(column) > 1}):
        raise DatasetError(f"{path.name}:1: column named twice: {', '.join(repeated)}")
    return columns


def _referenced_first(loading: Loading, tables: Sequence[str]) -> list[str]:
    """Tables in an order in which foreign keys hold."""
    graph: dict[str, set[str]] = {table: set() for table in tables}
    for table, referenced in loading.session.execute(
        "SELECT c.relname, r.relname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid"
        " JOIN pg_class r ON r.oid = k.confrelid WHERE k.contype = 'f' AND k.conrelid <> k.confrelid"
    ):
        graph.setdefault(table, set()).add(referenced)
    try:
        return [table for table in TopologicalSorter(graph).static_order() if table in set(tables)]
    except CycleError as error:
        raise DatasetError(f"{SCHEMA_FILE}: tables refer to each other in a circle: {error.args[1]}") from error
