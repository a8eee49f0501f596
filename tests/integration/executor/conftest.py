"""One PostgreSQL with TPC-H and one Spark session for all tests of the executor; a test that costs the session gets
the next one a new session."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import psycopg
import pytest

from executor import spark_process
from executor.calls import PreparedFacts, PrepareRequest, SessionSpec, SnippetCall
from executor.engine import Engine
from orchestrator.databases.embedded import EmbeddedProvider
from orchestrator.databases.port import ReferenceDatabase
from orchestrator.databases.statements import cancel_backends
from snipbench.clock import SystemClock
from snipbench.domain.order import Database, Snippet, Table, Tpch
from snipbench.domain.run import RunOutcome, RunStatus
from snipbench.resources.process_tree import ProcessTreeSource

APPLICATION = "snipbench-tests"
CONTROL = "select o_orderstatus, count(*), sum(o_totalprice) from orders group by o_orderstatus"
"""What runs beside snippets that misbehave."""
ONE_ROW = {"input": "select o_orderkey from orders limit 1", "returns": "int"}
"""The input of a UDF that needs no more."""
RETAINED = 40
"""Jobs and stages that Spark remembers in these sessions, so that a run can have more."""
MEMORY_CAP_BYTES = 4 * 2**30


@pytest.fixture(scope="session", autouse=True)
def patience() -> Iterator[None]:
    """On a busy machine what is cancelled may take longer to end than sessions are given; no snippet here is deaf."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spark_process, "GRACE_SECONDS", 60.0)
        yield


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReferenceDatabase]:
    """A served clone with TPC-H at scale 0.01."""
    provider = EmbeddedProvider(tmp_path_factory.mktemp("databases"))
    order = Database(name="shop", dataset=Tpch(generator="tpch", scale=0.01))
    clone = provider.clone(provider.prepare(order, Path()), order, owner="task-executor-tests")
    yield clone
    provider.release(clone.clone_id)


@dataclass
class Runner:
    """An engine with the views made, and short ways to have it run things."""

    engine: Engine
    database: ReferenceDatabase

    @staticmethod
    def call(kind: str, code: str, parameters: Mapping[str, Any] | None = None, **fields: Any) -> SnippetCall:
        """A call of a snippet named after its kind."""
        snippet = Snippet(**({"name": kind, "kind": kind, "code": dedent(code), "template": kind} | fields))
        return SnippetCall(snippet, tuple(sorted((parameters or {}).items())))

    def run(self, call: SnippetCall, timeout_seconds: float = 60.0) -> RunOutcome:
        """Run it, watching executor and database."""
        return self.engine.run(
            call,
            timeout_seconds=timeout_seconds,
            targets=[self.engine.target, self.database.target],
            cancel_statements=self.cancel_statements,
        )

    def ok(self, call: SnippetCall) -> RunOutcome:
        """Run it; it must go well."""
        outcome = self.run(call)
        assert outcome.status is RunStatus.OK, outcome.failure
        return outcome

    def hash(self, call: SnippetCall) -> str:
        """Hash of its result."""
        return self.engine.fingerprint(call, 60.0).result_hash

    def prepare(self, **changes: Any) -> PreparedFacts:
        """Make the views of lineitem and orders, or what the changes say."""
        values: dict[str, Any] = {
            "experiment": "tests",
            "jdbc_url": self.database.run.jdbc_url,
            "user": self.database.run.user,
            "password": self.database.run.password,
            "application_name": APPLICATION,
            "tables": (Table(name="lineitem"), Table(name="orders")),
        }
        return self.engine.prepare(PrepareRequest(**(values | changes)))

    def cancel_statements(self) -> None:
        """End what the session has the database do."""
        cancel_backends(self.database.admin, APPLICATION)

    def statements(self) -> int:
        """How many statements of the session the database is working on."""
        with psycopg.connect(**self.database.admin.parameters) as session:
            query = "select count(*) from pg_stat_activity where application_name = %s and state = 'active'"
            row = session.execute(query, [APPLICATION]).fetchone()
            assert row is not None
            return int(row[0])


@pytest.fixture(scope="session")
def new_engine(jars: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Engine]]:
    """Start engines; they are stopped at the end."""
    engines: list[Engine] = []

    def start(**changes: Any) -> Engine:
        place = tmp_path_factory.mktemp("session")
        values: dict[str, Any] = {
            "master": "local[2]",
            "conf": (
                ("spark.sql.shuffle.partitions", "2"),
                ("spark.driver.memory", "1g"),
                ("spark.ui.retainedJobs", str(RETAINED)),
                ("spark.ui.retainedStages", str(RETAINED)),
            ),
            "jars": tuple(jar for jar in jars if "postgresql" in jar.name),
            "memory_cap_bytes": MEMORY_CAP_BYTES,
            "work_directory": place / "work",
            "log_directory": place / "logs",
        }
        engine = Engine(SessionSpec(**(values | changes)), SystemClock(), ProcessTreeSource())
        engines.append(engine)
        engine.start()
        return engine

    yield start
    for engine in engines:
        engine.stop()


@pytest.fixture(scope="session")
def _runners() -> list[Runner]:
    return []


@pytest.fixture(scope="session")
def usable_runner(
    _runners: list[Runner], new_engine: Callable[..., Engine], database: ReferenceDatabase
) -> Callable[[], Runner]:
    """The session, with its views as :meth:`Runner.prepare` makes them; a new one where the last was lost."""

    def usable() -> Runner:
        if not _runners or _runners[-1].engine.lost:
            _runners.append(Runner(new_engine(), database))
        _runners[-1].prepare()
        return _runners[-1]

    return usable


@pytest.fixture
def runner(usable_runner: Callable[[], Runner]) -> Runner:
    """What :func:`usable_runner` gives when the test begins."""
    return usable_runner()


@pytest.fixture(scope="session")
def control_hash(usable_runner: Callable[[], Runner]) -> str:
    """Hash of the control snippet's result before anything misbehaved."""
    runner = usable_runner()
    return runner.hash(runner.call("sql", CONTROL))
