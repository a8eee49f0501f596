"""TPC-H: eight tables with primary keys, foreign keys and indexes, generated without a network.

Fixed-length texts are ``varchar`` here: the specification only asks that they hold their N characters, and ``char``
would hand Spark blank-padded values that compare differently in PostgreSQL and in a UDF.
"""

from __future__ import annotations

import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from orchestrator.databases.generators.base import Loading
from snipbench.errors import DatabaseError, MachineError

BYTES_PER_SCALE = 3_000_000_000
"""Tables and indexes, and the largest table's CSV file beside them."""

SMALLEST_SCALE = 0.0001
SMALLEST_EXACT_SCALE = 0.025
"""Below it (fewer than 250 suppliers) the specification's formula may give a part the same supplier twice; the repeated
rows of ``partsupp`` are left out, so that its key holds at every scale."""

TABLES: Mapping[str, str] = {
    "region": "r_regionkey integer NOT NULL, r_name varchar(25) NOT NULL, r_comment varchar(152)",
    "nation": (
        "n_nationkey integer NOT NULL, n_name varchar(25) NOT NULL, n_regionkey integer NOT NULL, "
        "n_comment varchar(152)"
    ),
    "part": (
        "p_partkey integer NOT NULL, p_name varchar(55) NOT NULL, p_mfgr varchar(25) NOT NULL, "
        "p_brand varchar(10) NOT NULL, p_type varchar(25) NOT NULL, p_size integer NOT NULL, "
        "p_container varchar(10) NOT NULL, p_retailprice numeric(15,2) NOT NULL, p_comment varchar(23) NOT NULL"
    ),
    "supplier": (
        "s_suppkey integer NOT NULL, s_name varchar(25) NOT NULL, s_address varchar(40) NOT NULL, "
        "s_nationkey integer NOT NULL, s_phone varchar(15) NOT NULL, s_acctbal numeric(15,2) NOT NULL, "
        "s_comment varchar(101) NOT NULL"
    ),
    "partsupp": (
        "ps_partkey integer NOT NULL, ps_suppkey integer NOT NULL, ps_availqty integer NOT NULL, "
        "ps_supplycost numeric(15,2) NOT NULL, ps_comment varchar(199) NOT NULL"
    ),
    "customer": (
        "c_custkey integer NOT NULL, c_name varchar(25) NOT NULL, c_address varchar(40) NOT NULL, "
        "c_nationkey integer NOT NULL, c_phone varchar(15) NOT NULL, c_acctbal numeric(15,2) NOT NULL, "
        "c_mktsegment varchar(10) NOT NULL, c_comment varchar(117) NOT NULL"
    ),
    "orders": (
        "o_orderkey bigint NOT NULL, o_custkey integer NOT NULL, o_orderstatus varchar(1) NOT NULL, "
        "o_totalprice numeric(15,2) NOT NULL, o_orderdate date NOT NULL, o_orderpriority varchar(15) NOT NULL, "
        "o_clerk varchar(15) NOT NULL, o_shippriority integer NOT NULL, o_comment varchar(79) NOT NULL"
    ),
    "lineitem": (
        "l_orderkey bigint NOT NULL, l_partkey integer NOT NULL, l_suppkey integer NOT NULL, "
        "l_linenumber integer NOT NULL, l_quantity numeric(15,2) NOT NULL, l_extendedprice numeric(15,2) NOT NULL, "
        "l_discount numeric(15,2) NOT NULL, l_tax numeric(15,2) NOT NULL, l_returnflag varchar(1) NOT NULL, "
        "l_linestatus varchar(1) NOT NULL, l_shipdate date NOT NULL, l_commitdate date NOT NULL, "
        "l_receiptdate date NOT NULL, l_shipinstruct varchar(25) NOT NULL, l_shipmode varchar(10) NOT NULL, "
        "l_comment varchar(44) NOT NULL"
    ),
}
"""Columns by table, referenced tables first."""

PRIMARY_KEYS: Mapping[str, str] = {
    "region": "r_regionkey",
    "nation": "n_nationkey",
    "part": "p_partkey",
    "supplier": "s_suppkey",
    "partsupp": "ps_partkey, ps_suppkey",
    "customer": "c_custkey",
    "orders": "o_orderkey",
    "lineitem": "l_orderkey, l_linenumber",
}
FOREIGN_KEYS: tuple[tuple[str, str, str], ...] = (
    ("nation", "n_regionkey", "region"),
    ("supplier", "s_nationkey", "nation"),
    ("partsupp", "ps_partkey", "part"),
    ("partsupp", "ps_suppkey", "supplier"),
    ("customer", "c_nationkey", "nation"),
    ("orders", "o_custkey", "customer"),
    ("lineitem", "l_orderkey", "orders"),
    ("lineitem", "l_partkey, l_suppkey", "partsupp"),
)
"""Table, columns, referenced table (by its primary key)."""

INDEXES: tuple[tuple[str, str], ...] = (
    ("nation", "n_regionkey"),
    ("supplier", "s_nationkey"),
    ("partsupp", "ps_suppkey"),
    ("customer", "c_nationkey"),
    ("orders", "o_custkey"),
    ("orders", "o_orderdate"),
    ("lineitem", "l_partkey, l_suppkey"),
    ("lineitem", "l_suppkey"),
    ("lineitem", "l_shipdate"),
    ("lineitem", "l_commitdate"),
    ("lineitem", "l_receiptdate"),
)
"""On foreign keys that no primary key begins with, and on dates."""


@dataclass(frozen=True, slots=True)
class TpchGenerator:
    """TPC-H at a scale factor; 1 is about 1 GB of raw data."""

    scale: float
    name: str = "tpch"
    version: int = 1

    def identity(self) -> Mapping[str, Any]:
        if self.scale < SMALLEST_SCALE:
            raise DatabaseError(f"TPC-H at scale {self.scale:g} has no supplier: the scale must be at least 0.0001")
        return {"scale": self.scale, "tpcgen": metadata.version("tpcgen-cli")}

    def summary(self) -> str:
        return f"scale={self.scale:g}"

    def expected_bytes(self) -> int:
        return int(self.scale * BYTES_PER_SCALE)

    def load(self, loading: Loading) -> None:
        session = loading.session
        # One call for all tables: the generator's start costs a second, far more than a small table.
        folder = loading.workspace / "tpch"
        folder.mkdir()
        loading.run([_program(), "tpch", "csv", "--quiet", "-s", repr(self.scale), "-o", folder])
        for table, columns in TABLES.items():
            # Only a table made in the same transaction can be loaded frozen and without being logged.
            with session.transaction():
                session.execute(f"CREATE TABLE {table} ({columns})".encode())
                with (folder / f"{table}.csv").open("rb") as rows:
                    loading.copy_in(f"COPY {table} FROM STDIN WITH (FORMAT csv, HEADER match, FREEZE)", rows)
            (folder / f"{table}.csv").unlink()
        folder.rmdir()
        if self.scale < SMALLEST_EXACT_SCALE:
            session.execute(
                "DELETE FROM partsupp a USING partsupp b"
                " WHERE a.ps_partkey = b.ps_partkey AND a.ps_suppkey = b.ps_suppkey AND a.ctid > b.ctid"
            )
        for table, key in PRIMARY_KEYS.items():
            session.execute(f"ALTER TABLE {table} ADD PRIMARY KEY ({key})".encode())
        for table, columns in INDEXES:
            session.execute(f"CREATE INDEX ON {table} ({columns})".encode())
        for table, columns, referenced in FOREIGN_KEYS:
            session.execute(f"ALTER TABLE {table} ADD FOREIGN KEY ({columns}) REFERENCES {referenced}".encode())


def _program() -> Path:
    program = Path(sysconfig.get_path("scripts")) / "tpcgen-cli"
    if not program.is_file():
        raise MachineError(f"the TPC-H generator is missing: install the package tpcgen-cli ({program} is not there)")
    return program
