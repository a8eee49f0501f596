"""An order whose query keeps Spark and PostgreSQL busy until it is cancelled, and a look at both of them."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from orchestrator.databases.documents import database_from_document
from tests.breath import Breath

ORDER = """\
name: long
spark: {master: "MASTER", conf: CONF}
databases:
  busy: {dataset: {sql: busy.sql}}
experiments:
  - name: long
    database: busy
    tables: [pairs]
    warmups: 0
    timeout: 600s
    snippets: [{name: counting, kind: sql, code: select sum(count) from pairs}]
"""
SCRIPT = """\
create table n as select i from generate_series(1, 100000) i;
create view pairs as select count(*) as count from n a, n b, n c where a.i < b.i + c.i;
"""
CLUSTER = {f"org.apache.spark.deploy.{name}" for name in ("master.Master", "worker.Worker")}
STATEMENTS = "select pid from pg_stat_activity where application_name like 'snipbench-task%' and state <> 'idle'"


def write_order(folder: Path, master: str = "local[2]", conf: str = "{}") -> Path:
    """The order's file, for a master and with these settings, and its dataset's script beside it."""
    (folder / "busy.sql").write_text(SCRIPT)
    (folder / "long.yaml").write_text(ORDER.replace("MASTER", master).replace("CONF", conf))
    return folder / "long.yaml"


@dataclass(frozen=True)
class LongQuery:
    """The query, under way: the session's processes, and a connection of our own to the server that works for it."""

    session: list[psutil.Process]
    watching: psycopg.Connection[Any]

    def gone(self, seconds: float) -> bool:
        """Whether, within so long, no process of the session is left and the server works for it no more.

        Seconds in which the machine itself stood still do not count.
        """
        begun = time.monotonic()
        with Breath() as breath:
            while psutil.wait_procs(self.session, timeout=0.02)[1] or self._statements():
                if time.monotonic() - begun - breath.missed > seconds:
                    return False
                time.sleep(0.02)
        return True

    def _statements(self) -> list[Any]:
        try:
            return self.watching.execute(STATEMENTS).fetchall()
        except psycopg.OperationalError:
            return []  # the server is gone, and with it whatever it did


def under_way(
    clones: Path, starter: psutil.Process, others: Collection[psutil.Process] = (), seconds: float = 240
) -> LongQuery:
    """Wait until the query keeps the server of the one clone in ``clones`` busy, for a session below ``starter``.

    Where a cluster was started there too, its executors belong to the session, its master and worker do not; nor do
    ``others``: what other tests left running there for those after them.
    """
    deadline = time.monotonic() + seconds
    watching: psycopg.Connection[Any] | None = None
    while watching is None or not watching.execute(STATEMENTS).fetchall():
        assert time.monotonic() < deadline, "the query does not begin"
        time.sleep(0.05)
        for file in clones.glob("*/served.json") if watching is None else ():
            with suppress(ValueError):  # half of it is written
                served = database_from_document(json.loads(file.read_text()))
                watching = psycopg.connect(**served.admin.parameters, autocommit=True)
    below = set(starter.children(recursive=True)) - set(others)
    session = [one for one in below if "java" in one.name()]
    session = [one for one in session if not CLUSTER & set(one.cmdline())]
    assert session
    return LongQuery(session, watching)
