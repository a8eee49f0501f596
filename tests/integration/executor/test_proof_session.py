"""A proof session times, writes and is judged from outside; candidates that cheat are not judged equal and faster."""

from __future__ import annotations

import secrets
import socket
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
from executor.process_tree import descendants, processes
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
            "conf": (
                ("spark.sql.shuffle.partitions", "2"),
                ("spark.driver.memory", "1g"),
                ("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1"),  # as in tests/conftest.py, for the jail
            ),
            "jars": tuple(jar for jar in self.jars if "postgresql" in jar.name),
            "memory_cap_bytes": 2 * 2**30,
            "work_directory": self.place / f"session-{next(self.numbers)}",
            "log_directory": self.place / "unused",
            "self_test": False,
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


HONEST = BASELINE.split("return ")[1].strip()
SLEEP_SECONDS = 0.5

NOT_FASTER = {
    "patched clocks": f"""
        import time
        def run(spark):
            import executor.session.session as session
            real = session.perf_counter
            try:
                session.perf_counter = time.perf_counter = time.monotonic = lambda: 0.0
                time.sleep({SLEEP_SECONDS})
                return {HONEST}
            finally:
                session.perf_counter, time.perf_counter, time.monotonic = real, real, real
        """,
    "computed while it is loaded": f"""
        import time
        from pyspark.sql import SparkSession
        spark = SparkSession.getActiveSession()
        time.sleep({SLEEP_SECONDS})
        ROWS = {HONEST}.toPandas()
        def run(spark):
            return spark.createDataFrame(ROWS, "flag string, n long, q decimal(25,2)")
        """,
    "lazy": f"""
        import time
        from pyspark.sql import functions as F
        def run(spark):
            late = F.udf(lambda flag: time.sleep({SLEEP_SECONDS}) or flag, "string")
            return {HONEST}.select(late("l_returnflag"), "n", "q")
        """,
}

WRONG = {
    "hard-coded rows": """
        def run(spark):
            return spark.createDataFrame([("A", 14876, 380456.0)], "flag string, n long, q double") \\
                .selectExpr("flag", "n", "cast(q as decimal(25,2)) as q")
        """,
    "cached after the first call": f"""
        import builtins
        def run(spark):
            if not hasattr(builtins, "kept"):
                builtins.kept = {HONEST}.toPandas()
            return spark.createDataFrame(builtins.kept, "flag string, n long, q decimal(25,2)")
        """,
}

BROKEN = {
    "NothingWritten": f"""
        from pyspark.sql.readwriter import DataFrameWriter
        real = DataFrameWriter.parquet
        def patched(self, *arguments, **options):
            DataFrameWriter.parquet = real
        def run(spark):
            DataFrameWriter.parquet = patched
            return {HONEST}
        """,
    "ChangedSettings": f"""
        def run(spark):
            spark.conf.set("spark.sql.shuffle.partitions", "1")
            return {HONEST}
        """,
    "LeftConnections": f"""
        import builtins, socket
        def run(spark):
            builtins.kept_socket = socket.create_connection(("127.0.0.1", 5432))
            return {HONEST}
        """,
}


@pytest.mark.parametrize("trick", NOT_FASTER)
def test_what_a_candidate_does_with_time_counts(bench: Bench, call: Callable[..., SnippetCall], trick: str) -> None:
    _, run, judged = bench.pair(call("dataframe", BASELINE), call("dataframe", NOT_FASTER[trick]))
    assert run.status is RunStatus.OK, run.failure
    assert judged is not None
    assert judged.equality in EQUAL, judged
    assert run.wall_seconds is not None
    assert run.wall_seconds >= SLEEP_SECONDS


@pytest.mark.parametrize("trick", WRONG)
def test_an_answer_that_does_not_follow_the_data_is_wrong(
    bench: Bench, call: Callable[..., SnippetCall], trick: str
) -> None:
    candidate = call("dataframe", WRONG[trick])
    assert bench.time("candidate", candidate).status is RunStatus.OK
    _, _, judged = bench.pair(call("dataframe", BASELINE), candidate)
    assert judged is not None
    assert judged.equality is Equality.DIFFERENT
    assert judged.differing_rows


@pytest.mark.parametrize("kind", BROKEN)
def test_a_run_that_broke_a_rule_has_no_time(bench: Bench, call: Callable[..., SnippetCall], kind: str) -> None:
    run = bench.time("candidate", call("dataframe", BROKEN[kind]))
    assert run.status is RunStatus.FAILED
    assert run.failure is not None
    assert run.failure.kind == kind, run.failure
    assert (run.wall_seconds, run.written) == (None, None)
    assert bench.session("candidate").lost is None


def test_values_of_functions_are_written_without_pickle(bench: Bench, call: Callable[..., SnippetCall]) -> None:
    """Their input is loaded anew each time, and timed."""
    query = "select l_quantity as q from lines where l_orderkey = 1"
    baseline = call("function", "def run(frame): return {'sum': float(frame.q.sum()), 'rows': [1, 'x']}", input=query)
    variant = call("function", "def run(frame): return {'rows': (1, 'x'), 'sum': float(sum(frame.q))}", input=query)
    first = bench.pair(baseline, variant)
    second = bench.pair(baseline, variant)
    for ours, _, judged in (first, second):
        assert ours.written is not None
        assert judged is not None
        assert judged.equality in EQUAL, judged
    assert bench.judge.judge(first[0].written, second[0].written, 1e-9).equality is Equality.DIFFERENT
    late = bench.time("candidate", call("function", "def run(): return (n for n in range(3))"))
    assert late.failure is not None
    assert late.failure.kind == "ReturnedIterator"


def test_the_sequence_of_a_sorted_baseline_belongs_to_the_result(
    bench: Bench, call: Callable[..., SnippetCall]
) -> None:
    text = "select l_orderkey, l_linenumber from lines where l_orderkey < 100 order by 1, 2"
    session = bench.session("baseline")
    ours = session.write(call("sql", text), bench.place / "sorted", 60.0)
    assert ours.sort_keys == ("1 ASC NULLS FIRST", "2 ASC NULLS FIRST")
    same = session.write(call("sql", text.replace("1, 2", "l_orderkey, 2")), bench.place / "same", 60.0)
    other = session.write(call("sql", text.replace("1, 2", "2, 1")), bench.place / "other", 60.0)
    assert bench.judge.judge(ours, same, 1e-9, ours.sort_keys).equality is Equality.EQUAL
    assert bench.judge.judge(ours, other, 1e-9, ours.sort_keys).equality is Equality.DIFFERENT
    assert bench.judge.judge(ours, other, 1e-9).equality is Equality.EQUAL


def test_nothing_out_here_is_reached(
    bench: Bench, call: Callable[..., SnippetCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a service on the host's loopback, nor the store, nor another database of the server."""
    store = Path.home() / ".snipbench"
    secret = bench.place / "secret"
    secret.write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        code = f"""
        import os, socket
        from pathlib import Path
        def run():
            found = [path for path in ({str(secret)!r}, {str(store)!r}, "/etc/shadow") if Path(path).exists()]
            for address in (("127.0.0.1", {listener.getsockname()[1]}), ("192.0.2.1", 80)):
                try:
                    socket.create_connection(address, 5)
                    found.append(str(address))
                except OSError:
                    pass
            found += [name for name in os.environ if name.startswith(("PYTEST", "OPENAI"))]
            return found
        """
        monkeypatch.setenv("OPENAI_API_KEY", "a key")
        run = bench.time("candidate", call("function", code))
        expected = bench.session("baseline").write(call("function", "def run(): return []"), bench.place / "none", 60.0)
        assert run.written is not None, run.failure
        assert bench.judge.judge(expected, run.written, 1e-9).equality is Equality.EQUAL
        with pytest.raises(TimeoutError):
            listener.accept()


def test_an_idle_session_stands_still(bench: Bench) -> None:
    session = bench.session("candidate")
    processes = descendants(session.keeper_pid)
    states = {Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in processes}
    assert len(processes) > 3
    assert states <= {"T", "Z"}


def test_stopping_spark_costs_the_session(bench: Bench, call: Callable[..., SnippetCall]) -> None:
    run = bench.time("candidate", call("dataframe", "def run(spark):\n    spark.stop()\n    return spark.range(3)"))
    assert run.status is RunStatus.FAILED
    assert run.written is None
    assert bench.sessions["candidate"].lost


def test_a_daemon_does_not_outlive_the_session_nor_memory_its_cap(
    bench: Bench, call: Callable[..., SnippetCall]
) -> None:
    """In the baseline's session: it is the last test."""
    mark = f"{secrets.randbelow(10**6) + 10**6}"
    code = f"""
        import subprocess
        def run():
            subprocess.Popen(["setsid", "sleep", "{mark}"])
            held = []
            while True:
                held.append(bytearray(b"x" * 2**26))
        """
    run = bench.time("baseline", call("function", code))
    assert run.status is RunStatus.KILLED
    assert run.failure is not None
    assert "memory cap" in run.failure.message
    assert not [pid for pid in processes() if mark.encode() in _command(pid)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
