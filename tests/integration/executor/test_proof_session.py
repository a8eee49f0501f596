"""A proof session times, writes and is judged from outside; candidates that cheat are not judged equal and faster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from textwrap import dedent
from typing import Any

import psycopg
import pytest

from executor.calls import PrepareRequest, SessionSpec, SnippetCall
from executor.jail import Jail
from executor.proving import Judge, ProofRun, ProofSession
from orchestrator.databases.port import ReferenceDatabase
from orchestrator.databases.statements import cancel_backends
from snipbench.clock import SystemClock
from snipbench.domain.order import Snippet, Table
from snipbench.domain.result import Comparison, Equality
from snipbench.domain.run import RunStatus
from snipbench.resources.process_tree import ProcessTreeSource

pytestmark = [pytest.mark.sandbox, pytest.mark.spark, pytest.mark.postgres]

APPLICATION = "snipbench-proofs"
BASELINE = """
def run(spark):
    return spark.sql("select l_returnflag, count(*) as n, sum(l_quantity) as q from lines group by l_returnflag")
"""
EQUAL = (Equality.EQUAL, Equality.EQUAL_WITHIN_TOLERANCE)


@dataclass
class Bench:
    """Sessions on one data copy, the judge of what they write, and the hand that changes the data."""

    database: ReferenceDatabase
    jars: tuple[Path, ...]
    place: Path
    judge: Judge
    sessions: dict[str, ProofSession] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    def session(self, side: str) -> ProofSession:
        """The session of a side, a new one where the last was lost."""
        found = self.sessions.get(side)
        if found is None or found.lost:
            if found is not None:
                found.stop()
            found = self.sessions[side] = self.started()
        return found

    def started(self, **changes: Any) -> ProofSession:
        """A session with its views."""
        values: dict[str, Any] = {
            "master": "local[2]",
            "conf": (("spark.sql.shuffle.partitions", "2"), ("spark.driver.memory", "1g")),
            "jars": tuple(jar for jar in self.jars if "postgresql" in jar.name),
            "memory_cap_bytes": 2 * 2**30,
            "work_directory": self.place / f"session-{next(self.numbers)}",
            "log_directory": self.place / "unused",
        }
        session = ProofSession(SessionSpec(**(values | changes)), SystemClock(), ProcessTreeSource(), jail=Jail())
        session.start()
        session.prepare(
            PrepareRequest(
                experiment="proofs",
                jdbc_url=self.database.run.jdbc_url,
                user=self.database.run.user,
                password=self.database.run.password,
                application_name=APPLICATION,
                tables=(Table(name="lines"),),
            )
        )
        return session

    def time(self, side: str, call: SnippetCall, timeout_seconds: float = 60.0) -> ProofRun:
        """One timed execution."""
        into = self.place / f"written-{next(self.numbers)}"
        return self.session(side).time(
            call,
            timeout_seconds,
            into=into,
            cancel_statements=lambda: cancel_backends(self.database.admin, APPLICATION),
        )

    def change_data(self) -> None:
        """So that every result differs from all before."""
        with psycopg.connect(**self.database.admin.parameters, autocommit=True) as connection:
            connection.execute("update lines set l_quantity = l_quantity + 1 where l_orderkey % 50 = 1")

    def pair(self, baseline: SnippetCall, candidate: SnippetCall) -> tuple[ProofRun, ProofRun, Comparison | None]:
        """One pair on data that neither side has seen."""
        self.change_data()
        ours, theirs = self.time("baseline", baseline), self.time("candidate", candidate)
        assert ours.written is not None, ours.failure
        if theirs.written is None:
            return ours, theirs, None
        return ours, theirs, self.judge.judge(ours.written, theirs.written, 1e-9)


@pytest.fixture(scope="module")
def bench(
    database: ReferenceDatabase, jars: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """With a table of its own: other tests count on what is in lineitem."""
    place = tmp_path_factory.mktemp("proofs")
    with psycopg.connect(**database.admin.parameters, autocommit=True) as connection:
        connection.execute("create table lines as select * from lineitem where l_orderkey < 15000")
        connection.execute(f"grant select on lines to {database.run.user}")
    with Judge(place, jail=Jail()) as judge:
        bench = Bench(database, jars, place, judge)
        yield bench
        for session in bench.sessions.values():
            session.stop()
    with psycopg.connect(**database.admin.parameters, autocommit=True) as connection:
        connection.execute("drop table lines")


@pytest.fixture
def call() -> Callable[..., SnippetCall]:
    def make(kind: str, code: str, **fields: Any) -> SnippetCall:
        return SnippetCall(Snippet(**({"name": kind, "kind": kind, "code": dedent(code), "template": kind} | fields)))

    return make


def test_without_a_jail_the_reason_goes_with_the_result(tmp_path: Path) -> None:
    spec = SessionSpec("local[1]", (), (), None, tmp_path / "work", tmp_path / "logs")
    session = ProofSession(spec, SystemClock(), ProcessTreeSource(), jail=None, reason="no bubblewrap, and consent")
    assert session.sandbox.to_document() == {"kind": "none", "reason": "no bubblewrap, and consent"}
    session.stop()


def test_an_honest_pair_is_equal_and_timed(bench: Bench, call: Callable[..., SnippetCall]) -> None:
    honest = "select l_returnflag, count(1), sum(l_quantity) from lines group by 1"
    ours, theirs, judged = bench.pair(call("dataframe", BASELINE), call("sql", honest))
    assert judged is not None
    assert judged.equality in EQUAL, judged
    for run in (ours, theirs):
        assert run.status is RunStatus.OK
        assert run.wall_seconds is not None
        assert run.load_seconds is not None
        assert 0 < run.load_seconds < run.wall_seconds
        assert run.costs[0].cpu_seconds is not None
        assert run.costs[0].cpu_seconds > 0
