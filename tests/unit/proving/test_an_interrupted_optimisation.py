"""An ``optimize`` analysis whose leader died: nothing is asked or paid for twice, and nothing is lost."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from analyzer.advisors import exchanges
from analyzer.proof import documents
from benchmarks.synthetic import write_task
from executor.calls import SessionSpec
from orchestrator.leading.ending import Ends, Unending
from orchestrator.leading.parts import Home, Parts
from orchestrator.leading.progress import PlainProgress
from orchestrator.leading.roles import HERE
from orchestrator.proving.improving import run_optimize
from orchestrator.proving.port import Session
from snipbench.clock import SystemClock
from snipbench.domain.analysis import Budget, Optimize
from snipbench.errors import TaskCancelled
from snipbench.store.port import Document
from snipbench.store.sqlite import SqliteStore
from tests.servers.openai_server import GOOD, Server, answers, serving

TASK = "task-1"
PLACES = ("exchange/row", "exchange/same")
CODE = {"kind": "sql", "code": "select 1", "tokens": 60}


class Died(BaseException):
    """The leader is no more."""


class MortalStore(SqliteStore):
    """Whoever works with it dies before the write of that number (from 0)."""

    def __init__(self, path: Path, last: int | None = None) -> None:
        super().__init__(path)
        self.left = last

    def insert(self, collection: str, documents: Sequence[Document]) -> int:
        self._age()
        return super().insert(collection, documents)

    def replace(self, collection: str, document: Document, *, expected_version: int | None) -> bool:
        self._age()
        return super().replace(collection, document, expected_version=expected_version)

    def delete(self, collection: str, where: Mapping[str, Any]) -> int:
        self._age()
        return super().delete(collection, where)

    def _age(self) -> None:
        if self.left == 0:
            raise Died
        if self.left is not None:
            self.left -= 1


class NoSandbox:
    """No proof gets further than its screening."""

    lack = "no bubblewrap"
    consent = False

    def session(self, spec: SessionSpec) -> Session:
        raise AssertionError("nothing is to be run")

    def judge(self, work_directory: Path) -> AbstractContextManager[Any]:
        assert list(work_directory.iterdir()) == [], "a proof begins in folders that nobody wrote to"
        return nullcontext()


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store with a measured task of two snippets, whose plans are known."""
    path = tmp_path_factory.mktemp("measured") / "store.sqlite"
    store = SqliteStore(path)
    write_task(store, TASK, repetitions=2, samples=0)
    store.insert("spark_plans", [{"_id": f"{TASK}:{place}", "plan": "== Physical Plan =="} for place in PLACES])
    store.close()
    return path


class World:
    """A home, in which one life follows the other."""

    def __init__(self, home: Path, measured: Path) -> None:
        self.home = home
        home.mkdir()
        shutil.copy(measured, home / "store.sqlite")
        self.store = SqliteStore(home / "store.sqlite")

    def live(
        self, analysis: Optimize, environment: dict[str, str], last: int | None = None, ends: Ends | None = None
    ) -> Document:
        """A life of the leader; it ends before the write number ``last``."""
        store = MortalStore(self.home / "store.sqlite", last)
        try:
            return run_optimize(self._parts(store), TASK, analysis, environment, ends)
        finally:
            store.close()

    def die(self, analysis: Optimize, environment: dict[str, str], last: int) -> None:
        with pytest.raises(Died):
            self.live(analysis, environment, last)

    def suggestions(self) -> list[Document]:
        return documents.suggestions_of(self.store, TASK)

    def _parts(self, store: SqliteStore) -> Parts:
        return Parts(
            mode="embedded",
            home=Home(self.home),
            store=store,
            store_address=str(self.home / "store.sqlite"),
            clock=SystemClock(),
            databases=None,  # type: ignore[arg-type]
            jars=(),
            progress=PlainProgress(io.StringIO()),
            counter_source=None,  # type: ignore[arg-type]
            roles=HERE,
            new_engine=lambda spec: pytest.fail("no engine is needed"),
            sandboxing=NoSandbox(),
            cancel_backends=lambda connection, name: 0,
            memory_cap_bytes=None,
            result_grace_seconds=30.0,
            machine_lock=self.home / "machine.lock",
        )


@pytest.fixture
def world(tmp_path: Path, measured: Path) -> Iterator[World]:
    made = World(tmp_path / "home", measured)
    yield made
    made.store.close()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as started:
        started.behave(answers(GOOD))
        yield started


def optimize(advisor: str, tokens: int = 20_000) -> Optimize:
    return Optimize(name="improve", kind="optimize", worst=2, advisor=advisor, budget=Budget(tokens=tokens))


def endpoint(server: Server) -> dict[str, str]:
    return {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-key", "SNIPBENCH_ADVISOR_MODEL": "m"}


def paid(world: World) -> int:
    return sum(found["tokens"] for found in world.store.find(exchanges.COLLECTION))


KEEPING = 4
"""Writes of one piece of advice: the exchange, no steps twice, the suggestion."""


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_advice_that_was_paid_for_is_proved_and_not_asked_for_again(world: World, server: Server, kept: int) -> None:
    world.die(optimize("llm"), endpoint(server), last=kept * KEEPING)
    before = {made["suggestion_id"] for made in world.suggestions()}
    assert len(before) == kept
    asked, spent = len(server.requests), paid(world)
    assert (asked, spent > 0) == (min(kept + 1, 2), kept > 0)

    report = world.live(optimize("llm"), endpoint(server))
    assert len(server.requests) == asked + 2 - kept
    assert report["tokens"] == paid(world) > 0
    found = {made["suggestion_id"]: made for made in world.suggestions()}
    assert len(found) == 2
    assert before <= found.keys()
    assert all(made["verdict"] == "inconclusive" for made in found.values())


def test_a_proof_that_is_made_again_finds_nothing_of_the_one_that_was_interrupted(world: World, server: Server) -> None:
    world.die(optimize("llm"), endpoint(server), last=2 * KEEPING)
    (made, _) = world.suggestions()
    (world.home / "work" / "proofs" / made["suggestion_id"] / "first" / "results").mkdir(parents=True)
    assert world.live(optimize("llm"), endpoint(server))["verdict"] == "nothing_verified"


def test_deaths_give_no_new_budget(world: World, server: Server) -> None:
    world.die(optimize("llm"), endpoint(server), last=KEEPING)
    spent = paid(world)
    report = world.live(optimize("llm", tokens=spent + 10), endpoint(server))
    assert (report["tokens"], len(report["unanswered"])) == (spent, 1)
    assert "budget" in report["unanswered"][0]


def test_an_analysis_made_anew_has_its_whole_budget_and_what_was_said_stays(world: World, server: Server) -> None:
    first = world.live(optimize("llm"), endpoint(server))
    documents.forget(world.store, TASK, "improve")
    assert world.suggestions() == []
    again = world.live(optimize("llm"), endpoint(server))
    assert again["tokens"] == paid(world) - first["tokens"] > 0
    assert world.store.count(exchanges.COLLECTION) == len(server.requests) == 4


class CancelledAt(Unending):
    """The task is cancelled before somebody asks for the time of that number (from 0)."""

    def __init__(self, last: int) -> None:
        self.left = last

    def raise_if_ended(self) -> None:
        if self.left == 0:
            raise TaskCancelled("it was cancelled")
        self.left -= 1


def test_a_cancelled_optimisation_ends_before_the_next_advice_or_proof_and_a_retry_goes_on(
    tmp_path: Path, measured: Path, server: Server
) -> None:
    asked = []
    for last in count():
        world = World(tmp_path / f"cancelled-{last}", measured)
        before = len(server.requests)
        try:
            world.live(optimize("llm"), endpoint(server), ends=CancelledAt(last))
        except TaskCancelled:
            asked.append(len(server.requests) - before)
            assert world.store.count(documents.OPTIMIZATIONS) == 0
            assert world.live(optimize("llm"), endpoint(server))["verdict"] == "nothing_verified"
            assert len(server.requests) - before == 2
            world.store.close()
        else:
            world.store.close()
            break
    assert asked == [0, 1, 2, 2], "before each advice, and before each proof"


def test_wherever_the_leader_dies_the_next_one_ends_right(tmp_path: Path, measured: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"*": CODE}))
    environment = {"SNIPBENCH_ADVISOR_SCRIPT": str(script)}
    for last in count():
        world = World(tmp_path / f"died-{last}", measured)
        try:
            world.live(optimize("scripted"), environment, last)
        except Died:
            died = True
        else:
            died = False
        before = world.suggestions()
        assert {step["suggestion_id"] for step in world.store.find("verifications")} <= ids(before)
        report = world.live(optimize("scripted"), environment)
        after = world.suggestions()
        assert [made["verdict"] for made in after] == ["inconclusive"] * 2, last
        assert ids(before) <= ids(after)
        assert sorted(step["suggestion_id"] for step in world.store.find("verifications")) == sorted(ids(after))
        assert report["tokens"] == 120
        world.store.close()
        if not died:
            assert last > 8
            return


def test_steps_of_a_proof_that_did_not_end_are_removed(world: World, server: Server) -> None:
    """The suggestion's verdict is the write after its steps."""
    world.die(optimize("llm"), endpoint(server), last=2 * KEEPING + 2)
    assert world.store.count("verifications") == 1
    kept = documents.resumed(world.store, TASK, "improve")
    assert [made["verdict"] for made in kept] == [None, None]
    assert world.store.count("verifications") == 0


def ids(made: Sequence[Document]) -> set[str]:
    return {one["suggestion_id"] for one in made}
