"""An accepted rewrite becomes a patch that the usual tools apply, and that says what was proved."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from analyzer.advisors.port import Advice, Potential
from analyzer.advisors.ranking import Ranked
from analyzer.proof import documents
from analyzer.proof.steps import Judgement, Verdict
from orchestrator.leading.taskbook import TaskBook
from orchestrator.orders import read_order
from orchestrator.proving.patching import Patch, patch_of
from snipbench.clock import SystemClock
from snipbench.domain.order import Kind
from snipbench.domain.task import OrderRecord
from snipbench.errors import UsageError
from snipbench.store.sqlite import SqliteStore

ORDER = """\
name: patched   # kept
databases:
  shop: {dataset: {generator: tpch, scale: 0.01}}
experiments:
  - name: one
    database: shop
    tables: [lineitem]
    snippets:
      # a comment before
      - name: row
        kind: python_udf
        input: select cast(l_quantity as double) as quantity from lineitem
        returns: double
        file: code/row.py
      - {name: arrow-row, kind: arrow_python_udf, variant_of: row, file: code/shared.py}
      - {name: pandas, kind: pandas_udf, variant_of: row, file: code/shared.py}

      - name: block
        kind: sql
        code: |
          select count(*)
          from lineitem   # not a comment
      - {name: flow, kind: sql, code: "select 1 as one"}
      - name: plain
        kind: sql
        code: select 2 as two
  - name: two
    database: shop
    tables: [lineitem]
    snippets: [{name: only, kind: sql, code: select 3}]
"""
FILES = {"row.py": "def run(q):\n    return q + 1.0\n", "shared.py": "def run(q):\n    return q + 1.0"}
Suggest = Callable[..., Patch]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "order.yaml").write_text(ORDER, encoding="utf-8")
    for name, text in FILES.items():
        (tmp_path / "code" / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "store.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def suggest(store: SqliteStore, folder: Path) -> Suggest:
    """Patch of a suggestion that replaces ``experiment/snippet``."""
    loaded = read_order(folder / "order.yaml")
    record = OrderRecord("order-1", str(folder / "order.yaml"), loaded.text, loaded.order, "2026-01-01T00:00:00Z", {})
    task_id = TaskBook.create(store, SystemClock(), record, mode="embedded").task.task_id

    def patch(
        name: str, code: str | None, kind: str = "sql", verdict: Verdict = Verdict.VERIFIED, **fields: Any
    ) -> Patch:
        experiment, _, snippet = name.partition("/")
        entry = str(fields.pop("entry", "run"))
        advice = Advice(Potential.HIGH, (), "rules", code, None if code is None else Kind(kind), entry=entry)
        place = documents.SuggestionPlace(task_id, "improve", "suggestion-1", 1, Ranked(experiment, snippet, 1.0, 1.0))
        document = documents.suggestion_document(place, advice, "2026-01-01T00:00:00.000000Z")
        documents.keep_suggestion(store, documents.judged(document, Judgement(verdict, "measured"), "bwrap"))
        return patch_of(store, "suggestion-1", **fields)

    return patch


def applied(patch: Patch) -> None:
    subprocess.run(
        ["patch", "-p1", "--quiet"], cwd=patch.root, input=patch.text, text=True, check=True, capture_output=True
    )


def test_a_rewrite_of_the_same_kind_replaces_the_snippets_file(suggest: Suggest, folder: Path) -> None:
    code = "def run(quantity):\n    return quantity + 1\n"
    patch = suggest("one/row", code, "python_udf")
    assert patch.text.startswith("--- a/code/row.py\n+++ b/code/row.py\n")
    applied(patch)
    assert (folder / "code" / "row.py").read_text() == code


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("one/block", "select 7\nfrom lineitem\n"),
        ("one/block", "select 7"),
        ("one/block", "  select 7\n"),
        ("one/flow", "select '\"' as quoted,\n  7"),
        ("one/plain", "select 7\nwhere 1 = 1"),
        ("one/plain", "select 'é: # {x}'"),
        ("two/only", "select 7"),
    ],
)
def test_inline_code_is_replaced_and_nothing_else(suggest: Suggest, folder: Path, name: str, code: str) -> None:
    before = read_order(folder / "order.yaml").order
    applied(suggest(name, code))
    text = (folder / "order.yaml").read_text()
    assert "name: patched   # kept" in text
    assert "# a comment before" in text
    after = read_order(folder / "order.yaml").order
    experiment, _, snippet = name.partition("/")
    for old, new in zip(before.experiments, after.experiments, strict=True):
        for was, now in zip(old.snippets, new.snippets, strict=True):
            if (old.name, was.name) == (experiment, snippet):
                assert now.code == code
            else:
                assert now == was


@pytest.mark.parametrize(
    ("name", "code", "kind"),
    [
        ("one/row", "select cast(l_quantity as double) + 1\nfrom lineitem\n", "sql"),
        ("one/arrow-row", "def run(q):\n    return q + 1\n", "arrow_python_udf"),
        ("one/plain", "def run(spark):\n    return spark.table('lineitem')\n", "dataframe"),
        ("one/block", "def run(spark):\n    # all\n    return spark.table('lineitem')\n", "dataframe"),
        ("two/only", "def run(spark):\n    return spark.table('lineitem')\n", "dataframe"),
    ],
)
def test_what_cannot_take_the_place_is_added_as_a_variant_behind_it(
    suggest: Suggest, folder: Path, name: str, code: str, kind: str
) -> None:
    before = read_order(folder / "order.yaml").order
    applied(suggest(name, code, kind))
    experiment, _, snippet = name.partition("/")
    after = read_order(folder / "order.yaml").order.experiment(experiment)
    names = [one.name for one in after.snippets if one.role != "floor"]
    added = f"{snippet}-improved"
    assert names.index(added) == names.index(snippet) + 1
    variant = after.snippet(added)
    assert (variant.code, variant.kind.value) == (code, kind)
    assert variant.baseline == before.experiment(experiment).snippet(snippet).baseline
    assert all(after.snippet(one.name) == one for one in before.experiment(experiment).snippets)


def test_a_patch_that_would_break_the_order_is_not_written(suggest: Suggest) -> None:
    with pytest.raises(UsageError, match="would not be accepted"):
        suggest("one/flow", "no python at all", "dataframe")


def test_another_entry_makes_a_variant(suggest: Suggest, folder: Path) -> None:
    applied(suggest("one/row", "def better(q):\n    return q + 1\n", "python_udf", entry="better"))
    assert read_order(folder / "order.yaml").order.experiment("one").snippet("row-improved").entry == "better"


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if verdict is not Verdict.VERIFIED])
def test_what_was_not_verified_is_refused_with_the_reason_unless_forced(suggest: Suggest, verdict: Verdict) -> None:
    with pytest.raises(UsageError, match=f"not verified .{verdict.value}: measured.*--force"):
        suggest("one/plain", "select 7", verdict=verdict)
    assert suggest("one/plain", "select 7", verdict=verdict, force=True).text


def test_words_and_unknown_suggestions_cannot_be_applied(suggest: Suggest, store: SqliteStore) -> None:
    with pytest.raises(UsageError, match="words only"):
        suggest("one/plain", None)
    with pytest.raises(UsageError, match="no suggestion 'other'"):
        patch_of(store, "other")


@pytest.mark.parametrize("changed", ["order.yaml", "code/row.py"])
def test_files_that_are_not_what_was_measured_are_left_alone(suggest: Suggest, folder: Path, changed: str) -> None:
    path = folder / changed
    path.write_text(path.read_text() + "\n# later\n")
    with pytest.raises(UsageError, match="changed after it was measured"):
        suggest("one/row", "def run(q):\n    return q + 1\n", "python_udf")


def test_paths_are_relative_to_where_the_user_stands(suggest: Suggest, folder: Path) -> None:
    patch = suggest("one/plain", "select 7", near=folder.parent)
    assert patch.text.startswith(f"--- a/{folder.name}/order.yaml\n")
    applied(patch)


def test_a_suggestion_is_told_as_the_design_says(suggest: Suggest, store: SqliteStore) -> None:
    suggest("one/plain", "select 7")
    (document,) = store.find(documents.SUGGESTIONS)
    assert documents.told(document) == {
        "suggestion_id": "suggestion-1",
        "snippet": "one/plain",
        "potential": "high",
        "suggestions": [],
        "code": "select 7",
        "estimated_reduction": None,
        "verdict": "verified",
        "ratio": {"median": None, "low": None, "high": None},
        "evidence": "measured",
        "advisor": "rules",
        "model": None,
    }


WRITTEN = {
    "ends of lines": b"# a\r\ndef run(q):\r\n    return q + 1.0\r\n",
    "byte order mark": b"\xef\xbb\xbfdef run(q):\n    return q + 1.0\n",
    "form feed": b"# a\x0cb\n\x0c\ndef run(q):\n    return '\xe2\x80\xa8' and q + 1.0  # \x0c\n",
    "no end": b"def run(q):\n    return q + 1.0",
}


@pytest.fixture(params=list(WRITTEN))
def written(request: pytest.FixtureRequest, folder: Path) -> bytes:
    (folder / "code" / "row.py").write_bytes(WRITTEN[request.param])
    return WRITTEN[request.param]


@pytest.mark.parametrize("tool", [["git", "apply"], ["patch", "-p1", "--quiet", "--binary"]])
def test_what_a_file_has_besides_its_code_stays(
    written: bytes, suggest: Suggest, folder: Path, tool: list[str]
) -> None:
    code = written.decode("utf-8-sig").replace("\r\n", "\n").replace("q + 1.0", "1.0 + q")
    patch = suggest("one/row", code, "python_udf")
    subprocess.run(tool, cwd=patch.root, input=patch.text.encode(), check=True, capture_output=True)
    assert (folder / "code" / "row.py").read_bytes() == written.replace(b"q + 1.0", b"1.0 + q")


def test_a_file_that_has_become_a_link_is_followed_and_stays_one(suggest: Suggest, folder: Path) -> None:
    outside = folder.parent / f"{folder.name}-else where"
    outside.mkdir()
    link, file = folder / "code" / "row.py", outside / "a row.py"
    link.rename(file)
    link.symlink_to(file)
    patch = suggest("one/row", "def run(q):\n    return 1.0 + q\n", "python_udf")
    assert patch.root == outside
    applied(patch)
    assert file.read_text() == "def run(q):\n    return 1.0 + q\n"
    assert link.is_symlink()
