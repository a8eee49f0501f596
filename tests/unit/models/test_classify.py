"""A classify analysis from the store's tasks to report, model and rows; on made-up tasks whose truth is known."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from typing import Any

import fsspec
import pytest
from click.testing import CliRunner, Result

from analyzer.landing import learned_rows
from analyzer.landing.arrow import arrow_table
from analyzer.models.artifact import Artifact, ModelRefused, load
from analyzer.models.baselines import BASELINES, out_of_fold
from analyzer.models.classify import run_classify
from analyzer.models.features import LeakError
from analyzer.models.grouping import Fold
from analyzer.models.predicting import predict_order
from analyzer.models.training_table import build_table
from orchestrator.cli import cli
from snipbench.clock import SystemClock
from snipbench.domain.analysis import Classes, Classify, Metric, Preprocess, Search
from snipbench.domain.order import Kind
from snipbench.errors import UsageError
from snipbench.lake.tables import TABLES
from snipbench.store.port import Document
from snipbench.store.sqlite import SqliteStore

ANALYSIS = Classify(name="by-wall", kind="classify", target=Metric.WALL_SECONDS, search=Search(trials=2))


def classify(store: SqliteStore, folder: Path, analysis: Classify = ANALYSIS, task_id: str = "task-1") -> Document:
    return run_classify(store, folder, task_id, analysis, clock=SystemClock(), seed=3)


@pytest.fixture(scope="module")
def said() -> list[str]:
    """What whoever waits for ``learned`` was told."""
    return []


@pytest.fixture(scope="module")
def learned(
    tmp_path_factory: pytest.TempPathFactory, corpora: Any, said: list[str]
) -> Iterator[tuple[SqliteStore, Path, Document]]:
    """Ten templates whose cost follows the depth of their loops."""
    folder = tmp_path_factory.mktemp("learned")
    store = SqliteStore(folder / "store.sqlite")
    corpora.write(store, "task-1", corpora.order_of(10), corpora.by_loops)
    models = folder / "models"
    yield store, models, run_classify(store, models, "task-1", ANALYSIS, clock=SystemClock(), seed=3, say=said.append)
    store.close()


def test_whoever_waits_is_told_how_far_it_is(learned: Any, said: list[str]) -> None:
    assert learned
    assert said == [
        *(f"fold {number} of 3: searching 2 pipelines" for number in (1, 2, 3)),
        "searching 2 pipelines for the model of all rows",
        "judging it beside the baselines",
    ]


def test_signal_that_can_be_learned_is_found_and_beats_every_baseline(learned: Any) -> None:
    _, _, report = learned
    assert report["verdict"] == "trained"
    assert report["macro_f1"]["value"] > 0.9
    assert {found["name"] for found in report["baselines"]} == {"majority", "rows_only", "nearest_source"}
    assert all(found["difference"]["low"] > 0 for found in report["baselines"])
    assert "the model is better" in report["sentence"]
    assert (report["rows"], report["templates"], report["folds"]) == (60, 10, 3)
    best = max(report["family_importances"], key=lambda family: family["mean"])
    assert best["name"] == "code"
    assert best["mean"] > 0.3
    counts = report["scores"]["confusion"]["actual_by_predicted"]
    assert sum(map(sum, counts)) == 60


def test_report_model_features_and_predictions_are_kept_and_fit_their_tables(learned: Any) -> None:
    store, _, report = learned
    assert store.get("training_reports", "task-1:by-wall")["sentence"] == report["sentence"]
    for name in ("features", "models", "predictions"):
        rows = list(getattr(learned_rows, name)(store, "task-1"))
        assert arrow_table(TABLES[name], rows).num_rows == len(rows) > 0
    (model,) = learned_rows.models(store, "task-1")
    assert model["verdict"] == "trained"
    assert json.loads(str(model["report"]))["macro_f1"] == report["macro_f1"]
    predictions = list(learned_rows.predictions(store, "task-1"))
    assert len(predictions) == 60
    right = sum(found["predicted_class"] == found["actual_class"] for found in predictions)
    assert right / 60 == pytest.approx(report["scores"]["accuracy"])
    kinds = {row["category"] for row in learned_rows.features(store, "task-1") if row["feature"] == "kind"}
    assert kinds == {"function"}


def test_same_seed_gives_the_same_report_and_replaces_the_former(learned: Any) -> None:
    store, folder, report = learned
    again = classify(store, folder)
    changing = {"started_at", "ended_at", "search", "model"}  # the file's container holds times of its own
    assert {key: again[key] for key in again.keys() - changing} == {
        key: report[key] for key in report.keys() - changing
    }
    assert again["model"]["choice"] == report["model"]["choice"]
    assert store.count("models") == 1
    assert store.count("predictions") == 60


def test_training_table_lies_beside_the_model(learned: Any) -> None:
    _, folder, report = learned
    with Path(report["table"]).open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert Path(report["table"]).parent == folder
    assert len(lines) == 60
    assert {line["class"] for line in lines} == {"low", "medium", "high"}
    deep = next(line for line in lines if line["snippet"] == "t00-depth3")
    assert (deep["py_loop_depth"], deep["data_input_rows_log"]) == ("3.0", "")


def test_prediction_names_class_chances_and_nearest_evidence(learned: Any, corpora: Any) -> None:
    store, folder, report = learned
    found = predict_order(store, folder, corpora.order_of(11))
    assert found["model"]["model_id"] == report["model"]["id"]
    assert len(found["predictions"]) == 66
    unseen = [made for made in found["predictions"] if made["snippet"].startswith("t10")]
    assert {(made["snippet"][-1], made["class"]) for made in unseen} == {("1", "low"), ("2", "medium"), ("3", "high")}
    for made in unseen:
        assert sum(made["probabilities"].values()) == pytest.approx(1)
        assert made["sizes_from"] is None
        assert len(made["evidence"]) == 3
        assert made["evidence"][0]["parameters"] == made["parameters"]
    known = next(made for made in found["predictions"] if made["snippet"] == "t03-depth2")
    assert known["evidence"][0]["snippet"].startswith("t03")
    assert known["evidence"][0]["similarity"] == 1.0


def test_the_class_that_is_predicted_is_the_one_that_held_out_scores_are_of(
    learned: Any, corpora: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cost classifier's choice is the class of the trees' mean, whatever most of the trees say."""

    class Torn:
        classes_ = ("low", "medium", "high")

        def predict(self, rows: Any) -> list[str]:
            return ["medium"] * len(rows)

        def predict_proba(self, rows: Any) -> list[tuple[float, ...]]:
            return [(0.45, 0.15, 0.4)] * len(rows)

    store, folder, _ = learned
    monkeypatch.setattr("analyzer.models.predicting.load", lambda *_: Torn())
    made = predict_order(store, folder, corpora.order_of(1))["predictions"]
    assert {one["class"] for one in made} == {"medium"}
    assert made[0]["probabilities"] == {"low": 0.45, "medium": 0.15, "high": 0.4}


def test_model_whose_file_was_changed_is_refused(learned: Any, tmp_path: Path) -> None:
    _, folder, report = learned
    data = bytearray((folder / report["model"]["path"]).read_bytes())
    artifact = Artifact("changed.skops", report["model"]["sha256"])
    data[len(data) // 2] ^= 1
    (tmp_path / artifact.path).write_bytes(data)
    with pytest.raises(ModelRefused, match="not the model that was trained"):
        load(tmp_path, artifact)
    with pytest.raises(ModelRefused, match="cannot be read"):
        load(tmp_path, Artifact("gone.skops", "0" * 64))


def test_file_with_a_strange_type_is_refused_even_with_its_hash(tmp_path: Path) -> None:
    import hashlib

    import skops.io
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    data = skops.io.dumps(Pipeline([("call", FunctionTransformer(func=print))]))
    (tmp_path / "strange.skops").write_bytes(data)
    with pytest.raises(ModelRefused, match="types that no model of ours has"):
        load(tmp_path, Artifact("strange.skops", hashlib.sha256(data).hexdigest()))


def test_noise_makes_no_claim(store: SqliteStore, tmp_path: Path, corpora: Any) -> None:
    corpora.write(store, "task-1", corpora.order_of(12), corpora.by_chance)
    report = classify(store, tmp_path)
    assert report["verdict"] == "not_better"
    assert "does not show that the model is better" in report["sentence"]


def test_cost_that_only_the_template_tells_makes_no_claim(store: SqliteStore, tmp_path: Path, corpora: Any) -> None:
    """Whoever has seen another snippet of the template knows the class: a leak would be a perfect model."""
    corpora.write(store, "task-1", corpora.order_apart(12), corpora.by_template)
    report = classify(store, tmp_path, ANALYSIS.model_copy(update={"search": Search(trials=1)}))
    assert report["verdict"] == "not_better"
    assert report["macro_f1"]["value"] < 0.6
    assert report["templates"] == 12


def test_baselines_are_not_judged_on_templates_that_they_have_seen(store: SqliteStore, corpora: Any) -> None:
    corpora.write(store, "task-1", corpora.order_of(4), corpora.by_loops)
    rows = build_table(store, "task-1", ANALYSIS).rows
    held = tuple(place for place, row in enumerate(rows) if row.group == "t00-depth1")
    others = tuple(place for place in range(len(rows)) if place not in held)
    classes = ["low"] * len(rows)
    given = out_of_fold(BASELINES[0], rows, classes, [Fold(others, held)], seed=1)
    assert [given[place] for place in held] == ["low"] * 6
    with pytest.raises(LeakError, match="t00-depth1"):
        out_of_fold(BASELINES[0], rows, classes, [Fold((*others, held[0]), held[1:])], seed=1)


ORDER = """\
name: not-run
databases: {shop: {dataset: {generator: tpch, scale: 1}}}
experiments:
  - name: loops
    database: shop
    tables: []
    parameters: {size: [100]}
    snippets:
      - name: deep
        kind: function
        code: |
CODE
"""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--name", "bad name"), "--name 'bad name': a name is a letter, then letters, digits"),
        (("--export", ""), "--export is empty: a folder or a URL"),
        (("--with", ""), "--with is empty: a task's id or the name of its order"),
    ],
)
def test_analyze_refuses_impossible_values_as_wrong_use(arguments: tuple[str, str], told: str) -> None:
    done = CliRunner().invoke(cli, ["analyze", *arguments], standalone_mode=False)
    assert isinstance(done.exception, UsageError)
    assert told in str(done.exception)


def predict(learned: Any, *arguments: object) -> Result:
    store, models, _ = learned
    assert store.count("models") == 1
    command = ["predict", *map(str, arguments), "--home", str(models.parent)]
    return CliRunner().invoke(cli, command, standalone_mode=False)


def test_predict_tells_the_class_of_an_order_that_was_not_run(learned: Any, corpora: Any, tmp_path: Path) -> None:
    code = corpora.order_of(11).experiments[0].snippet("t10-depth3").code
    (tmp_path / "order.yaml").write_text(ORDER.replace("CODE", indent(code, " " * 10)))
    done = predict(learned, tmp_path / "order.yaml")
    assert done.exception is None, done.output
    first, told = done.stdout.splitlines()
    assert first.startswith(f"wall_seconds by model {learned[2]['model']['id']} of 20")
    assert re.match(
        r"high +loops/deep size=100 +\(.*high \d+%; most like loops/t\d\d-depth\d, which is \w+; sizes of the", told
    )
    assert done.stderr == "", "the model is better than its baselines: nothing to beware of"


def test_predict_prints_as_json_what_it_found_for_a_task(learned: Any) -> None:
    found = json.loads(predict(learned, "task-1", "--json").stdout)
    assert found["model"]["model_id"] == learned[2]["model"]["id"]
    assert len(found["predictions"]) == 60
    assert {made["class"] for made in found["predictions"]} == {"low", "medium", "high"}


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (("task-nobody",), "there is no task 'task-nobody'; `snipbench list` shows all"),
        (("nowhere.yaml",), "nowhere.yaml"),
        (("task-1", "--model", "model-nobody"), "there is no model 'model-nobody'; there are model-"),
    ],
)
def test_predict_says_what_is_wrong_in_one_error(learned: Any, arguments: tuple[str, ...], refusal: str) -> None:
    done = predict(learned, *arguments)
    assert getattr(done.exception, "exit_code", None) == 2, done.exception
    assert refusal in str(done.exception)
    assert done.stdout == ""


def test_too_little_data_says_so_and_leaves_no_model(store: SqliteStore, tmp_path: Path, corpora: Any) -> None:
    corpora.write(store, "task-1", corpora.order_of(4), corpora.by_loops)
    report = classify(store, tmp_path)
    assert report["verdict"] == "too_little_data"
    assert report["missing"] == ["4 templates of at least 10"]
    (row,) = learned_rows.models(store, "task-1")
    assert row["artifact"] is None
    assert str(row["verdict"]).startswith("Too little data")
    assert not list(tmp_path.glob("*.skops"))
    with pytest.raises(UsageError, match="there is no model yet"):
        predict_order(store, tmp_path, corpora.order_of(4))


def test_features_know_nothing_of_the_runs(store: SqliteStore, corpora: Any) -> None:
    corpora.write(store, "slow", corpora.order_of(2), corpora.by_loops)
    corpora.write(store, "random", corpora.order_of(2), corpora.by_chance)
    one, other = (build_table(store, task, ANALYSIS) for task in ("slow", "random"))
    assert [row.features for row in one.rows] == [row.features for row in other.rows]
    assert [row.target for row in one.rows] != [row.target for row in other.rows]


def test_the_same_python_code_of_two_kinds_is_one_group_and_sql_is_apart(store: SqliteStore, corpora: Any) -> None:
    order = corpora.order_of(4)
    kinds = dict(
        zip(("t00", "t01", "t02", "t03"), (*["python_udf", "arrow_python_udf"], *["sql", "function"]), strict=True)
    )
    same = [
        one.model_copy(update={"kind": Kind(kinds[one.name[:3]]), "code": "same" if one.name[:3] != "t03" else "other"})
        for one in order.experiments[0].snippets
    ]
    experiment = order.experiments[0].model_copy(update={"snippets": tuple(same)})
    corpora.write(store, "task-1", order.model_copy(update={"experiments": (experiment,)}), corpora.by_loops)
    groups = {row.template[:3]: row.group[:3] for row in build_table(store, "task-1", ANALYSIS).rows}
    assert groups == {"t00": "t00", "t01": "t00", "t02": "t02", "t03": "t03"}


def test_listed_tasks_are_joined_by_id_and_by_name_of_the_order(store: SqliteStore, corpora: Any) -> None:
    for task in ("task-1", "task-2"):
        corpora.write(store, task, corpora.order_of(2), corpora.by_loops)
    both = ANALYSIS.model_copy(update={"tasks": ("this", "task-2", "made-up")})
    assert {row.task_id for row in build_table(store, "task-1", both).rows} == {"task-1", "task-2"}
    with pytest.raises(UsageError, match="neither a task nor a finished task of an order called 'elsewhere'"):
        build_table(store, "task-1", ANALYSIS.model_copy(update={"tasks": ("elsewhere",)}))
    with pytest.raises(UsageError, match="none of the tasks has an experiment called other"):
        build_table(store, "task-1", ANALYSIS.model_copy(update={"experiments": ("other",)}))


def test_failed_runs_are_dropped_or_kept_as_asked(store: SqliteStore, corpora: Any) -> None:
    corpora.write(store, "task-1", corpora.order_of(2), corpora.by_loops, failed="t00-depth2")
    dropped = build_table(store, "task-1", ANALYSIS)
    assert dropped.left_out == (("every run failed", 2),)
    assert len(dropped.rows) == 10
    kept = ANALYSIS.model_copy(update={"preprocess": Preprocess(drop_failed=False)})
    assert len(build_table(store, "task-1", kept).rows) == 12


@pytest.mark.parametrize(
    ("target", "factor"), [(Metric.WALL_SECONDS, 1.0), (Metric.CPU_SECONDS, 2.0), (Metric.MEMORY_PEAK_BYTES, 1e6)]
)
def test_target_is_the_median_of_the_measure(store: SqliteStore, corpora: Any, target: Metric, factor: float) -> None:
    corpora.write(store, "task-1", corpora.order_of(1), corpora.by_loops)
    analysis = ANALYSIS.model_copy(update={"target": target})
    deepest = build_table(store, "task-1", analysis).rows[2]
    assert deepest.target == pytest.approx(factor, rel=0.4)
    assert deepest.lowest <= deepest.target <= deepest.highest
    assert deepest.runs == 2


def test_io_is_the_sum_over_executor_and_database(store: SqliteStore, corpora: Any) -> None:
    corpora.write(store, "task-1", corpora.order_of(1), corpora.by_loops)
    table = build_table(store, "task-1", ANALYSIS.model_copy(update={"target": Metric.READ_BYTES}))
    assert {row.target for row in table.rows} == {100.0}


def test_table_goes_to_an_object_store_and_bounds_may_be_values(
    store: SqliteStore, tmp_path: Path, corpora: Any
) -> None:
    corpora.write(store, "task-1", corpora.order_of(2), corpora.by_loops)
    bounds = Classes(by="value", low=0.03, medium=0.3, high=5.0)
    report = classify(store, tmp_path, ANALYSIS.model_copy(update={"export": "memory://tables/", "classes": bounds}))
    assert report["table"] == "memory://tables/task-1-by-wall.csv"
    with fsspec.open(report["table"], "r") as file:
        lines = list(csv.DictReader(file))
    assert {(line["snippet"][-1], line["class"]) for line in lines} == {("1", "low"), ("2", "medium"), ("3", "high")}
    assert [found["up_to"] for found in report["classes"]] == [0.03, 0.3, 5.0]


def test_analysis_that_cannot_be_made_is_a_verdict_and_no_exception(
    store: SqliteStore, tmp_path: Path, corpora: Any
) -> None:
    corpora.write(store, "task-1", corpora.order_of(1), corpora.by_loops)
    report = classify(store, tmp_path, ANALYSIS.model_copy(update={"tasks": ("nowhere",)}))
    assert report["verdict"] == "failed"
    assert "nowhere" in store.get("training_reports", "task-1:by-wall")["sentence"]
