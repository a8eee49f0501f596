"""pgbench's four tables as ``pgbench -i`` makes them, filled inside the server; the scale may be a fraction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.databases.generators.base import Loading

ACCOUNTS_PER_SCALE = 100_000
BYTES_PER_SCALE = 17_000_000

TABLES: Mapping[str, str] = {
    "pgbench_branches": "bid int NOT NULL, bbalance int, filler char(88)",
    "pgbench_tellers": "tid int NOT NULL, bid int, tbalance int, filler char(84)",
    "pgbench_accounts": "aid int NOT NULL, bid int, abalance int, filler char(84)",
    "pgbench_history": "tid int, bid int, aid int, delta int, mtime timestamp, filler char(22)",
}


@dataclass(frozen=True, slots=True)
class PgbenchGenerator:
    """Scale 1 has 100,000 accounts, ten tellers and one branch; a fraction has accordingly fewer accounts."""

    scale: float
    name: str = "pgbench"
    version: int = 1

    def identity(self) -> Mapping[str, Any]:
        return {"scale": self.scale}

    def summary(self) -> str:
        return f"scale={self.scale:g}"

    def expected_bytes(self) -> int:
        return int(self.scale * BYTES_PER_SCALE)

    def load(self, loading: Loading) -> None:
        accounts = max(1, round(self.scale * ACCOUNTS_PER_SCALE))
        branches = -(-accounts // ACCOUNTS_PER_SCALE)
        session = loading.session
        with session.transaction():
            for table, columns in TABLES.items():
                fillfactor = "" if table == "pgbench_history" else " WITH (fillfactor = 100)"
                session.execute(f"CREATE TABLE {table} ({columns}){fillfactor}".encode())
            session.execute(
                "INSERT INTO pgbench_branches (bid, bbalance) SELECT bid, 0 FROM generate_series(1, %s) bid",
                (branches,),
            )
            session.execute(
                "INSERT INTO pgbench_tellers (tid, bid, tbalance)"
                " SELECT tid, (tid - 1) / 10 + 1, 0 FROM generate_series(1, %s) tid",
                (branches * 10,),
            )
            session.execute(
                "INSERT INTO pgbench_accounts (aid, bid, abalance, filler)"
                " SELECT aid, (aid - 1) / 100000 + 1, 0, '' FROM generate_series(1, %s) aid",
                (accounts,),
            )
        for table, key in (("branches", "bid"), ("tellers", "tid"), ("accounts", "aid")):
            session.execute(f"ALTER TABLE pgbench_{table} ADD PRIMARY KEY ({key})".encode())
