"""A whole order with ``optimize`` analyses: from the worst snippets to verdicts, a report and a patch that applies."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from snipbench.lake import reader
from snipbench.store.sqlite import SqliteStore
from tests.servers.openai_server import GOOD, answers, serving

from .conftest import json_of, run_command

pytestmark = [pytest.mark.spark, pytest.mark.postgres, pytest.mark.sandbox, pytest.mark.timeout(900)]

KEY = "sk-this-is-the-key-that-nobody-may-see-4711"
PROVED = ("paid", "counted", "raised")
"""Snippets with a usable run, which are fewer than the analysis asks for."""

# Jailed sessions get nothing of this process's environment, so what spares them compiling is said in the order.
ORDER = """\
name: improved
seed: 7
spark:
  master: "local[2]"
  conf: {spark.sql.shuffle.partitions: 1, spark.sql.codegen.wholeStage: false, spark.driver.memory: 1g,
         spark.driver.extraJavaOptions: "-XX:TieredStopAtLevel=1"}
databases:
  shop: {dataset: {generator: tpch, scale: 0.005}}
experiments:
  - name: prices
    database: shop
    tables: [orders]
    warmups: 1
    repetitions: 2
    parameters: {least: [1]}
    snippets:
      - name: paid
        kind: function
        input: select cast(o_totalprice as double) as price from orders where o_orderkey >= :least
        code: |
          def run(lines, least):
              count = 0
              for price in lines["price"].tolist():
                  for _ in range(600):
                      paid = price > 0.0
                  count += paid
              return count
  - name: sums
    database: shop
    tables: [orders]
    warmups: 1
    repetitions: 2
    parameters: {least: [1]}
    snippets:
      - name: counted
        kind: sql
        code: |
          select o_orderstatus, count(*) as orders from orders
          where o_orderkey >= :least group by o_orderstatus
      - name: raised
        kind: sql
        code: select max(o_totalprice) as most from orders where o_orderkey >= :least
      - {name: broken, kind: sql, code: select 1 / (o_orderkey - o_orderkey) as never from orders}
analyses:
  - {name: scripted, kind: optimize, worst: 9, advisor: scripted}
  - {name: asked, kind: optimize, worst: 1, advisor: llm, budget: {tokens: 20000}, experiments: [prices]}
"""
FASTER = 'def run(lines, least):\n    return int((lines["price"] > 0.0).sum())\n'
SCRIPT = {
    "prices/paid": {
        "potential": "high",
        "suggestions": ["compare all prices at once"],
        "code": FASTER,
        "estimated_reduction": 0.8,
    },
    "sums/counted": {
        "code": "select o_orderstatus, count(*) as orders from orders where o_orderkey >= :least "
        "and coalesce(length(sha2(repeat(o_comment, 30), 512)), 0) >= 0 group by o_orderstatus\n"
    },
    "sums/raised": {
        "code": "select max(o_totalprice / (o_custkey - o_custkey)) as most from orders where o_orderkey >= :least"
    },
    "sums/nobody": {"code": "select 1"},
}
# Every price that is there is paid. On a copy with prices below zero, which nobody has shown it, it is wrong.
WRONG = GOOD | {"kind": "function", "code": "def run(lines, least):\n    return len(lines)\n"}


@dataclass(frozen=True)
class Done:
    """The order, run to its end, and what was made of it."""

    home: Path
    order: Path
    outcome: dict[str, Any]
    requests: list[dict[str, Any]]

    @property
    def task(self) -> str:
        return str(self.outcome["task_id"])

    def kept(self, collection: str) -> list[dict[str, Any]]:
        """The task's documents of the store."""
        store = SqliteStore(self.home / "store.sqlite")
        try:
            return list(store.find(collection, {"task_id": self.task}))
        finally:
            store.close()

    def suggestions(self) -> dict[tuple[str, str], dict[str, Any]]:
        """By analysis and snippet."""
        return {(one["analysis"], one["snippet"]): one for one in self.kept("suggestions")}

    def ask(self, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        return run_command(*arguments, "--home", self.home, **variables)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        return reader.query(self.home / "lake", sql).to_pylist()


@pytest.fixture(scope="module")
def done(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("optimize")
    (folder / "order.yaml").write_text(ORDER)
    (folder / "script.json").write_text(json.dumps(SCRIPT))
    with serving() as server:
        server.behave(answers(WRONG))
        ran = run_command(
            *("run", folder / "order.yaml", "--home", home, "--json"),
            OPENAI_BASE_URL=server.url,
            OPENAI_API_KEY=KEY,
            SNIPBENCH_ADVISOR_MODEL="m",
            SNIPBENCH_ADVISOR_SCRIPT=str(folder / "script.json"),
        )
        assert ran.returncode == 1, f"one snippet always fails\n{ran.stdout}\n{ran.stderr}"
        return Done(home, folder / "order.yaml", json_of(ran), server.requests)


def test_every_analysis_ends_and_says_what_came_of_it(done: Done) -> None:
    assert done.outcome["status"] == "partly_failed"
    analyses = {found["name"]: found for found in done.outcome["analyses"]}
    assert {name: found["verdict"] for name, found in analyses.items()} == {
        "scripted": "improved",
        "asked": "nothing_verified",
    }
    assert "3 suggestions on the 3 worst snippets" in analyses["scripted"]["sentence"]
    assert {snippet for analysis, snippet in done.suggestions() if analysis == "scripted"} == set(PROVED)


def test_a_right_and_faster_rewrite_is_verified(done: Done) -> None:
    found = done.suggestions()["scripted", "paid"]
    assert found["verdict"] == "verified", found["evidence"]
    assert 0 < found["ratio_low"] <= found["ratio_median"] <= found["ratio_high"] < 1
    assert "confirmed in a fresh session" in found["evidence"]
    assert found["sandbox"] == "bwrap"


def test_what_is_verified_rests_on_twenty_pairs_of_each_of_two_sessions(done: Done) -> None:
    verified = {found["suggestion_id"] for found in done.suggestions().values() if found["verdict"] == "verified"}
    steps = [step for step in done.kept("verifications") if step["suggestion_id"] in verified and step["pairs"]]
    assert sorted((step["name"], len(json.loads(step["pair_seconds"]))) for step in steps) == [
        ("confirmation", 20),
        ("pairs", 20),
    ]


def test_what_is_verified_is_faster_when_it_is_measured_as_any_other_snippet(done: Done, tmp_path: Path) -> None:
    """In another session, by other code than a proof's, with other pairs."""
    order = YAML(typ="safe").load(ORDER)
    del order["analyses"]
    order["experiments"] = [found for found in order["experiments"] if found["name"] == "prices"]
    (prices,) = order["experiments"]
    prices["repetitions"] = 10
    (original,) = prices["snippets"]
    rewritten = done.suggestions()["scripted", "paid"]["code"]
    prices["snippets"].append(original | {"name": "rewritten", "variant_of": "paid", "code": rewritten})
    (tmp_path / "again.yaml").write_text(json.dumps(order))
    measured = done.ask("run", tmp_path / "again.yaml", "--json")
    assert measured.returncode == 0, measured.stderr
    (found,) = json_of(measured)["experiments"]
    (ratio,) = [one["ratio_to_baseline"] for one in found["snippets"] if one["name"] == "rewritten"]
    assert (ratio["verdict"], ratio["pairs"]) == ("faster", 10)


def test_what_is_only_equal_is_not_called_faster(done: Done) -> None:
    found = done.suggestions()["scripted", "counted"]
    assert found["verdict"] == "equal_not_faster", found["evidence"]
    assert found["ratio_low"] > 0.95


def test_a_rewrite_that_crashes_has_failed(done: Done) -> None:
    found = done.suggestions()["scripted", "raised"]
    assert found["verdict"] == "failed", found["evidence"]
    assert "fails on clone" in found["evidence"]
    assert "DIVIDE_BY_ZERO" in found["evidence"]


def test_what_a_language_model_wrote_for_the_shown_data_is_a_wrong_result(done: Done) -> None:
    found = done.suggestions()["asked", "paid"]
    assert (found["verdict"], found["advisor"], found["model"]) == ("wrong_result", "llm", "served-model")
    assert "another result on mutated" in found["evidence"]
    assert found["sandbox"] == "bwrap"
    steps = done.rows(
        f"select data_copy, status from verifications where suggestion_id = '{found['suggestion_id']}' order by step"
    )
    assert [(step["data_copy"], step["status"]) for step in steps] == [
        (None, "passed"),
        ("clone", "passed"),
        ("clone", "passed"),  # at a parameter that the order does not have
        ("second", "passed"),
        ("mutated", "failed"),
    ]
    assert len(done.requests) == 1


def test_the_lake_has_the_verdicts_and_every_step(done: Done) -> None:
    mine = f"where task_id = '{done.task}'"
    verdicts = done.rows(f"select verdict, count(*) as n from suggestions {mine} group by verdict")
    assert {row["verdict"]: row["n"] for row in verdicts} == {
        "verified": 1,
        "equal_not_faster": 1,
        "failed": 1,
        "wrong_result": 1,
    }
    steps = done.rows(f"select name, min(pairs) as pairs, count(*) as n from verifications {mine} group by name")
    assert {row["name"]: (row["pairs"], row["n"] > 0) for row in steps} == {
        "screening": (None, True),
        "equality": (None, True),
        "pairs": (20, True),
        "confirmation": (20, True),
    }


def test_the_report_shows_them(done: Done) -> None:
    page = Path(done.outcome["report"]).read_text("utf-8")
    for told in ("verified: same result, faster", "same result, not faster", "wrong result", "compare all prices at"):
        assert told in page


def test_proofs_leave_no_clone_and_nothing_written(done: Done) -> None:
    assert not (done.home / "work" / "proofs").exists()
    assert not list((done.home / "databases" / "clones").iterdir())


def test_no_file_holds_the_key(done: Done) -> None:
    files = [path for path in done.home.rglob("*") if path.is_file() and "databases" not in path.parts]
    assert {"lake", "reports", "logs"} <= {path.relative_to(done.home).parts[0] for path in files}
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


def test_suggest_prints_the_documented_keys(done: Done) -> None:
    told = json_of(done.ask("suggest", done.task, "--json"))
    assert len(told) >= 4
    for one in told:
        assert set(one) == {
            *("suggestion_id", "snippet", "potential", "suggestions", "code", "estimated_reduction", "verdict"),
            *("ratio", "evidence", "advisor", "model"),
        }
        assert set(one["ratio"]) == {"median", "low", "high"}
    best = next(one for one in told if one["verdict"] == "verified")
    assert (best["snippet"], best["code"], best["estimated_reduction"]) == ("prices/paid", FASTER, 0.8)


def test_the_verified_one_becomes_a_patch_that_git_applies_once(done: Done, tmp_path: Path) -> None:
    verdicts = {found["verdict"]: found["suggestion_id"] for found in done.suggestions().values()}
    refused = done.ask("apply", verdicts["wrong_result"])
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "not verified" in refused.stderr
    patch = tmp_path / "improved.patch"
    written = done.ask("apply", verdicts["verified"], "--to", patch)
    assert written.returncode == 0, written.stderr
    for file in done.order.parent.iterdir():
        shutil.copy(file, tmp_path)
    applied = subprocess.run(["git", "apply", patch.name], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert applied.returncode == 0, applied.stderr
    text = (tmp_path / "order.yaml").read_text()
    assert 'return int((lines["price"] > 0.0).sum())' in text
    assert "range(600)" not in text
    assert run_command("check", tmp_path / "order.yaml").returncode == 0


def test_a_patch_is_not_written_for_an_order_that_was_changed_since(done: Done) -> None:
    best = next(found for found in done.suggestions().values() if found["verdict"] == "verified")
    before = done.order.read_text()
    done.order.write_text(before.replace("seed: 7", "seed: 8"))
    refused = done.ask("apply", best["suggestion_id"])
    done.order.write_text(before)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert "was changed after it was measured" in refused.stderr


def test_new_suggestions_without_an_endpoint_come_from_the_rules_and_say_so(done: Done) -> None:
    made = done.ask("suggest", done.task, "--new", "--advisor", "llm", "--worst", 1, "--json", OPENAI_API_KEY="")
    assert made.returncode == 0, made.stderr
    assert "No endpoint is set" in made.stderr
    assert "so the advisor is rules instead of llm" in made.stderr
    rules = [one for one in json_of(made) if one["advisor"] == "rules"]
    assert [(one["verdict"], one["evidence"]) for one in rules] == [(None, "The advisor has nothing to suggest.")]
    kept = done.rows(f"select count(*) as n from suggestions where task_id = '{done.task}'")
    assert kept == [{"n": 5}]
