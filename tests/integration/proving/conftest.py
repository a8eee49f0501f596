"""A clone with data on which wrong rewrites look right, and sandboxed sessions on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from analyzer.proof.planning import Side
from executor.calls import PrepareRequest, SessionSpec
from orchestrator.databases.embedded import EmbeddedProvider
from orchestrator.databases.port import ReferenceDatabase
from orchestrator.databases.statements import cancel_backends
from orchestrator.proving.copies import DataCopies
from orchestrator.proving.duel import Duel
from orchestrator.proving.port import ResultJudge
from orchestrator.proving.sandboxing import BwrapSandboxing
from snipbench.clock import SystemClock
from snipbench.domain.order import Database, Snippet, SqlFile, Table
from snipbench.resources.process_tree import ProcessTreeSource

SCRIPT = """
create table shops (id integer primary key, name text not null);
insert into shops select g, 'shop ' || g from generate_series(1, 40) g;
create table closed (shop integer);
insert into closed select g from generate_series(1, 10) g;
create table sales (id bigint primary key, shop integer, product text, amount numeric(10,2), weight double precision,
  units integer, sold date, at timestamp, note varchar(20), code text);
insert into sales select g, 1 + g % 40, 'p' || g % 5, g % 100, g / 8.0, 1 + g % 40, date '2020-11-01' + g % 420,
  timestamp '2020-11-01 06:00:00' + g % 420 * interval '1 day', 'n' || g % 7, (100 + g % 900)::text
  from generate_series(1, 2000) g;
create table loose (a integer, b text);
insert into loose select g % 10, 'b' || g from generate_series(1, 400) g;
"""
TABLES = ("sales", "shops", "closed", "loose")


@dataclass(frozen=True, slots=True)
class Arena:
    """Two sessions on one clone, its copies, and the judge."""

    duel: Duel
    copies: DataCopies
    judge: ResultJudge


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReferenceDatabase]:
    folder = tmp_path_factory.mktemp("arena-data")
    (folder / "data.sql").write_text(SCRIPT)
    provider = EmbeddedProvider(folder)
    order = Database(name="shop", dataset=SqlFile(sql="data.sql"))
    clone = provider.clone(provider.prepare(order, folder), order, owner="task-proofs")
    yield clone
    provider.release(clone.clone_id)


@pytest.fixture(scope="module")
def arena(
    served: ReferenceDatabase, jars: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Arena]:
    work = tmp_path_factory.mktemp("arena")
    source = ProcessTreeSource()
    sandboxing = BwrapSandboxing(SystemClock(), source, {})
    assert sandboxing.lack is None, sandboxing.lack
    spec = SessionSpec(
        master="local[1]",
        conf=(
            ("spark.sql.shuffle.partitions", "1"),
            ("spark.sql.codegen.wholeStage", "false"),
            ("spark.driver.memory", "1g"),
            ("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1"),  # as in tests/conftest.py, for the jail
        ),
        jars=jars,
        memory_cap_bytes=4 * 2**30,
        work_directory=work,
        log_directory=work / "logs",
        self_test=False,
    )
    request = PrepareRequest(
        experiment="proofs",
        jdbc_url=served.run.jdbc_url,
        user=served.run.user,
        password=served.run.password,
        application_name="snipbench-proofs",
        tables=tuple(Table(name=name) for name in TABLES),
    )
    nothing = Snippet(name="nothing", kind="sql", code="select 1", template="nothing")
    sides: dict[Side, Snippet] = {"original": nothing, "candidate": nothing}
    copies = DataCopies(served.admin, served.run, TABLES, seed=7)
    duel = Duel(
        spec,
        sandboxing.session,
        request,
        sides,
        timeout_seconds=60,
        results=work / "results",
        cancel=lambda application: cancel_backends(served.admin, application) and None,
        candidate=copies.candidate(),
    )
    with sandboxing.judge(work) as judge, duel:
        yield Arena(duel, copies, judge)
    source.close()
