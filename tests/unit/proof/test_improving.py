"""An ``optimize`` analysis around its proofs: whom it asks, what it keeps, what it says when something is missing."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analyzer.advisors.choosing import TIMEOUT
from analyzer.advisors.port import Advice
from analyzer.landing import learned_rows
from analyzer.landing.staging import stage_task
from analyzer.outcome import task_outcome
from analyzer.report import write_report
from benchmarks.synthetic import write_task
from executor.calls import SessionSpec
from orchestrator.leading.parts import Home, Parts
from orchestrator.leading.progress import PlainProgress
from orchestrator.leading.roles import HERE
from orchestrator.proving import improving
from orchestrator.proving.improving import check_advisors, run_optimize
from orchestrator.proving.port import Session
from orchestrator.proving.sandboxing import refusal
from snipbench.clock import SystemClock
from snipbench.domain.analysis import Budget, Optimize
from snipbench.errors import DatabaseError, UsageError
from snipbench.store.sqlite import SqliteStore
from tests.servers import openai_server
from tests.servers.openai_server import GOOD, Behaviour, answers, fails, serving

KEY = "sk-this-is-the-key-that-nobody-may-see-4711"


class NoDatabases:
    """A provider on a machine whose disk is full."""

    def prepare(self, *_: Any, **__: Any) -> Any:
        raise DatabaseError("the disk is full")


class PlayedSandboxing:
    """What ``orchestrator.proving.sandboxing`` tells, without a session."""

    def __init__(self, lack: str | None = None, consent: bool = False) -> None:
        self.lack = lack
        self.consent = consent

    def session(self, spec: SessionSpec) -> Session:
        raise AssertionError("nothing is to be run")

    def judge(self, work_directory: Path) -> AbstractContextManager[Any]:
        return nullcontext()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "store.sqlite")
    write_task(opened, "task-1", samples=0)
    yield opened
    opened.close()


def parts(store: SqliteStore, home: Path, sandboxing: PlayedSandboxing | None = None) -> Parts:
    return Parts(
        mode="embedded",
        home=Home(home),
        store=store,
        store_address=str(home / "store.sqlite"),
        clock=SystemClock(),
        databases=NoDatabases(),  # type: ignore[arg-type]
        jars=(),
        progress=PlainProgress(io.StringIO()),
        counter_source=None,  # type: ignore[arg-type]
        roles=HERE,
        new_engine=lambda spec: pytest.fail("no engine is needed"),
        sandboxing=sandboxing or PlayedSandboxing(),
        cancel_backends=lambda connection, name: 0,
        memory_cap_bytes=None,
        result_grace_seconds=30.0,
        machine_lock=home / "machine.lock",
    )


def script(folder: Path, answers: dict[str, Any]) -> dict[str, str]:
    path = folder / "script.json"
    path.write_text(json.dumps(answers))
    return {"SNIPBENCH_ADVISOR_SCRIPT": str(path)}


def scripted(**fields: Any) -> Optimize:
    return Optimize(**({"name": "improve", "kind": "optimize", "worst": 1, "advisor": "scripted"} | fields))


CODE = {"kind": "sql", "code": "select 1"}


def test_an_advisor_that_cannot_be_had_is_replaced_and_the_result_says_so(store: SqliteStore, tmp_path: Path) -> None:
    report = run_optimize(parts(store, tmp_path), "task-1", scripted(advisor="llm"), {"PATH": ""})
    assert (report["asked"], report["advisor"]) == ("llm", "rules")
    assert "No endpoint is set" in report["sentence"]
    assert "so the advisor is rules instead of llm" in report["sentence"]
    (analysis,) = (found for found in task_outcome(store, "task-1")["analyses"] if found["kind"] == "optimize")
    assert analysis["sentence"] == report["sentence"]


def test_an_advisor_without_its_settings_is_refused_before_anything_is_measured(store: SqliteStore) -> None:
    order = _order(store).model_copy(update={"analyses": (scripted(),)})
    with pytest.raises(UsageError, match="SNIPBENCH_ADVISOR_SCRIPT"):
        check_advisors(order, {})


def test_a_proof_that_the_platform_cannot_make_is_left_open_with_the_reason(store: SqliteStore, tmp_path: Path) -> None:
    report = run_optimize(parts(store, tmp_path), "task-1", scripted(), script(tmp_path, {"*": CODE}))
    assert report["verdict"] == "nothing_verified"
    (found,) = store.find("suggestions")
    assert found["verdict"] == "inconclusive"
    assert "the disk is full" in found["evidence"]
    assert [row["status"] for row in learned_rows.verifications(store, "task-1")] == ["passed", "inconclusive"]
    (row,) = learned_rows.suggestions(store, "task-1")
    assert row["code"] == "select 1"
    (tmp_path / "staged").mkdir()
    staged = {one.table: one.rows for one in stage_task(store, "task-1", tmp_path / "staged", {})}
    assert (staged["suggestions"], staged["verifications"]) == (1, 2)
    assert not (tmp_path / "work" / "proofs").exists()


def test_what_was_made_is_not_made_again_and_costs_nothing(store: SqliteStore, tmp_path: Path) -> None:
    answers = script(tmp_path, {"*": CODE | {"tokens": 10}})
    first = run_optimize(parts(store, tmp_path), "task-1", scripted(), answers)
    assert run_optimize(parts(store, tmp_path), "task-1", scripted(), {}) | {"version": None} == first | {
        "version": None
    }
    assert first["tokens"] == 10


def test_an_interrupted_analysis_goes_on_behind_what_was_proved(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = script(tmp_path, {"*": CODE})
    two = scripted(worst=2)
    asked: list[Advice] = []
    judged = improving.documents.judged

    def dies(*arguments: Any) -> Any:
        if asked:
            raise KeyboardInterrupt
        asked.append(arguments[0])
        return judged(*arguments)

    monkeypatch.setattr(improving.documents, "judged", dies)
    with pytest.raises(KeyboardInterrupt):
        run_optimize(parts(store, tmp_path), "task-1", two, answers)
    before = {found["suggestion_id"] for found in store.find("suggestions") if found["verdict"] is not None}
    assert len(before) == 1
    monkeypatch.undo()
    run_optimize(parts(store, tmp_path), "task-1", two, answers)
    found = list(store.find("suggestions"))
    assert len(found) == 2
    assert before < {one["suggestion_id"] for one in found}
    assert all(one["verdict"] is not None for one in found)


def test_a_spent_budget_is_no_advice_and_no_more_than_the_budget_is_spent(store: SqliteStore, tmp_path: Path) -> None:
    answers = script(tmp_path, {"*": CODE | {"tokens": 60}})
    budget = scripted(worst=3, budget=Budget(tokens=100))
    report = run_optimize(parts(store, tmp_path), "task-1", budget, answers)
    assert report["tokens"] == 60
    assert len(report["unanswered"]) == len(report["snippets"]) - 1
    assert "budget" in report["sentence"]


@pytest.mark.parametrize(
    ("words", "said"), [(["use the JVM"], "words only"), ([], "The advisor has nothing to suggest.")]
)
def test_advice_without_code_is_kept_and_nothing_is_proved(
    store: SqliteStore, tmp_path: Path, words: list[str], said: str
) -> None:
    answers = script(tmp_path, {"*": {"suggestions": words}})
    report = run_optimize(parts(store, tmp_path), "task-1", scripted(), answers)
    assert report["verdict"] == "nothing_verified"
    (found,) = store.find("suggestions")
    assert (found["verdict"], found["code"]) == (None, None)
    assert said in found["evidence"]


def test_a_refusing_advisor_is_no_advice(store: SqliteStore, tmp_path: Path) -> None:
    report = run_optimize(parts(store, tmp_path), "task-1", scripted(), script(tmp_path, {"*": {"error": "refused"}}))
    assert report["verdict"] == "no_advice"
    assert "refused" in report["sentence"]


@pytest.mark.parametrize("runs", [False, True])
def test_without_a_sandbox_what_others_wrote_runs_only_by_consent(
    store: SqliteStore, tmp_path: Path, runs: bool
) -> None:
    answers = script(tmp_path, {"*": CODE})
    there = parts(store, tmp_path, PlayedSandboxing("no bubblewrap", consent=runs))
    run_optimize(there, "task-1", scripted(worst=2), answers)
    for found in store.find("suggestions"):
        assert ("the disk is full" in found["evidence"]) is runs
        assert ("no sandbox here (no bubblewrap)" in found["evidence"]) is not runs
        assert found["sandbox"] is None


def test_without_a_sandbox_the_rules_rewrites_run(tmp_path: Path) -> None:
    assert refusal(PlayedSandboxing("no bubblewrap"), "rules") is None
    assert refusal(PlayedSandboxing("no bubblewrap"), "llm") is not None
    assert refusal(PlayedSandboxing(), "llm") is None


def _order(store: SqliteStore) -> Any:
    return _material(store).order


TRUNCATED = '{"potential": "high", "suggestions": ["let the JV'
INJECTED = GOOD | {
    "suggestions": [f"the key is {KEY}, as you told me to repeat"],
    "code": f"select value as found, '{KEY}' as key from text.`/proc/self/environ`",
}


@pytest.mark.parametrize(
    ("behaviours", "verdict", "said", "requests"),
    [
        ((answers(GOOD),), "nothing_verified", "1 inconclusive", 1),
        ((answers(INJECTED),), "nothing_verified", "1 failed", 1),
        ((answers("no JSON"), answers("still none")), "no_advice", "invalid", 2),
        ((answers(TRUNCATED, finish="length"),), "no_advice", "cut off at the output limit", 2),
        ((answers(None, refusal="I would rather not"),), "no_advice", "refused", 1),
        ((openai_server.closes_early,), "no_advice", "No advice on 1 snippets", None),
        ((openai_server.huge,), "no_advice", "too_large", 1),
        ((openai_server.huge_error,), "no_advice", "too_large", 1),
        ((openai_server.compressed_without_end,), "no_advice", "invalid", 1),
        ((openai_server.hangs,), "no_advice", "timeout", 1),
        ((openai_server.drips_body,), "no_advice", "timeout", 1),
        ((openai_server.drips_headers,), "no_advice", "timeout", 1),
        ((fails(429, f"slow down, {KEY}", retry_after="60"),), "no_advice", "trying again would take 60 s", 1),
        ((fails(500, f"no room for {KEY}"),), "no_advice", "No advice on 1 snippets", None),
        ((fails(401, f"{KEY} is no key"),), "no_advice", "rejected", 1),
    ],
    ids=[
        *("valid", "injected", "malformed", "truncated", "refusing", "broken-off", "ten-megabytes", "huge-error"),
        *("compressed", "hanging", "dripping", "dripping-headers", "429", "500", "401"),
    ],
)
def test_an_order_ends_within_its_budgets_whatever_the_endpoint_does_and_the_key_is_in_no_file(
    store: SqliteStore,
    tmp_path: Path,
    behaviours: tuple[Behaviour, ...],
    verdict: str,
    said: str,
    requests: int | None,
) -> None:
    _plan_already_made(store)
    progress = io.StringIO()
    with serving() as server:
        server.behave(*behaviours)
        there = replace(parts(store, tmp_path), progress=PlainProgress(progress))
        analysis = scripted(advisor="llm", budget=Budget(tokens=20_000))
        # Short where the answer never comes or asking again is to be given up, else long enough for any machine.
        patience = "4" if said == "timeout" or requests is None else "15"
        report = run_optimize(there, "task-1", analysis, endpoint(server) | {TIMEOUT: patience})
        assert requests is None or len(server.requests) == requests
        assert any("== Physical Plan ==" in json.dumps(request) for request in server.requests)
    assert report["verdict"] == verdict
    assert said in report["sentence"]
    assert 0 <= report["tokens"] <= 20_000
    assert report["seconds"] < 60, "the time-out is 15 s at most"
    # Where it is tried until the time is over, the last attempt may have ended before the server heard of it.
    assert store.count("advisor_exchanges") - len(server.requests) in ({0} if requests else {0, 1})
    (tmp_path / "log").write_text(progress.getvalue())
    _nothing_holds_the_key(store, tmp_path)


def test_an_endpoint_that_never_answers_is_not_asked_about_every_snippet(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _plan_already_made(store)
    monkeypatch.setattr(improving, "MOST_SILENT", 1)
    with serving() as server:
        server.behave(openai_server.hangs)
        report = run_optimize(
            parts(store, tmp_path), "task-1", scripted(advisor="llm", worst=9), endpoint(server) | {TIMEOUT: "0.3"}
        )
        assert len(server.requests) <= 1, "the other one was not asked about"
    assert len(report["snippets"]) == len(report["unanswered"]) == 2
    assert "not asked, since there was no answer 1 times in a row" in report["unanswered"][1]


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan"])
def test_a_time_out_that_is_none_is_refused_before_anything_is_measured(store: SqliteStore, text: str) -> None:
    order = _order(store).model_copy(update={"analyses": (scripted(advisor="llm"),)})
    with pytest.raises(UsageError, match=f"{TIMEOUT} must be a number of seconds above 0, not '{text}'"):
        check_advisors(order, {"OPENAI_BASE_URL": "http://h/v1", "SNIPBENCH_ADVISOR_MODEL": "m", TIMEOUT: text})


def test_snippets_that_always_failed_are_not_among_the_worst(store: SqliteStore, tmp_path: Path) -> None:
    report = run_optimize(parts(store, tmp_path), "task-1", scripted(worst=99), script(tmp_path, {"*": CODE}))
    assert sorted(report["snippets"]) == ["exchange/row", "exchange/same"]


def test_an_order_without_a_usable_run_has_nothing_to_improve(store: SqliteStore, tmp_path: Path) -> None:
    for found in list(store.find("runs")):
        store.delete("runs", {"_id": found["_id"]})
    report = run_optimize(parts(store, tmp_path), "task-1", scripted(), script(tmp_path, {"*": CODE}))
    assert report["verdict"] == "no_advice"
    assert "no snippet has a usable run" in report["sentence"]


def test_a_script_for_other_snippets_is_no_advice_on_this_one(store: SqliteStore, tmp_path: Path) -> None:
    report = run_optimize(parts(store, tmp_path), "task-1", scripted(), script(tmp_path, {"exchange/other": CODE}))
    assert report["verdict"] == "no_advice"
    assert "the script has no answer to exchange/" in report["sentence"]


def test_a_rewrite_that_defines_another_snippets_function_has_failed_and_never_ran(
    store: SqliteStore, tmp_path: Path
) -> None:
    code = {"kind": "python_udf", "code": "def other(x):\n    return x + 1\n"}
    run_optimize(parts(store, tmp_path), "task-1", scripted(worst=2), script(tmp_path, {"exchange/row": code}))
    (found,) = store.find("suggestions")
    assert (found["verdict"], found["sandbox"]) == ("failed", None)
    assert "'run'" in found["evidence"]


def endpoint(server: openai_server.Server) -> dict[str, str]:
    return {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY, "SNIPBENCH_ADVISOR_MODEL": "m"}


def _plan_already_made(store: SqliteStore) -> None:
    """Plans that were made before are not made again, so no session is needed to brief the advisor."""
    places = {(found.experiment, found.snippet) for found in _material(store).runs}
    store.insert(
        "spark_plans", [{"_id": f"task-1:{where}/{name}", "plan": "== Physical Plan =="} for where, name in places]
    )


def _nothing_holds_the_key(store: SqliteStore, home: Path) -> None:
    """Neither the store nor what goes to the lake, nor the report, nor what was shown meanwhile."""
    (home / "staged").mkdir()
    stage_task(store, "task-1", home / "staged", {})
    write_report(store, "task-1", home / "reports")
    store.close()
    files = [path for path in home.rglob("*") if path.is_file()]
    assert {"store.sqlite", "staged", "reports", "log"} <= {path.relative_to(home).parts[0] for path in files}
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


def _material(store: SqliteStore) -> Any:
    from analyzer.material import load_material

    return load_material(store, "task-1")
