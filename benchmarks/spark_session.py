"""A Spark session with the views of a TPC-H database, for benchmarks of the executor."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from executor.calls import PreparedFacts, PrepareRequest, SessionSpec, SnippetCall
from executor.engine import Engine
from orchestrator import jars
from orchestrator.databases.embedded import EmbeddedProvider
from orchestrator.databases.port import ReferenceDatabase
from snipbench.clock import SystemClock
from snipbench.domain.order import Database, Snippet, Table, Tpch
from snipbench.domain.plan import Parameters
from snipbench.resources.process_tree import ProcessTreeSource

SCALE = 0.01
CONF = (("spark.sql.shuffle.partitions", "4"),)


@dataclass(frozen=True, slots=True)
class Place:
    """A served database, and a directory for sessions."""

    database: ReferenceDatabase
    directory: Path

    @contextmanager
    def session(self) -> Iterator[Engine]:
        """A started session with its views made."""
        here = Path(tempfile.mkdtemp(dir=self.directory))
        drivers = tuple(jar for jar in jars.ensure() if "postgresql" in jar.name)
        spec = SessionSpec("local[*]", CONF, drivers, None, here / "work", here / "logs")
        engine = Engine(spec, SystemClock(), ProcessTreeSource())
        try:
            engine.start()
            self.prepare(engine)
            yield engine
        finally:
            engine.stop()

    def prepare(self, engine: Engine) -> PreparedFacts:
        """Ask for the views, as the leader does before each experiment."""
        run = self.database.run
        tables = (Table(name="lineitem"), Table(name="orders"))
        return engine.prepare(
            PrepareRequest("benchmark", run.jdbc_url, run.user, run.password, "snipbench-benchmark", tables)
        )


@contextmanager
def place() -> Iterator[Place]:
    """A database of TPC-H at scale :data:`SCALE`, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="snipbench-benchmark-") as directory:
        provider = EmbeddedProvider(Path(directory) / "databases")
        order = Database(name="shop", dataset=Tpch(generator="tpch", scale=SCALE))
        clone = provider.clone(provider.prepare(order, Path()), order, owner="benchmark")
        try:
            yield Place(clone, Path(directory))
        finally:
            provider.release(clone.clone_id)


def call(kind: str, code: str, parameters: Parameters = (), **fields: str) -> SnippetCall:
    """A snippet of that kind."""
    values = {"name": kind, "kind": kind, "code": code, "template": kind} | fields
    return SnippetCall(Snippet.model_validate(values), parameters)


QUERY = call("sql", "select l_returnflag, sum(l_extendedprice * (1 - l_discount)) from lineitem group by l_returnflag")
"""A query over the whole of the larger table."""
