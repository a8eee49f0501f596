"""A task's rows in each format, to paths and URLs."""

from __future__ import annotations

import csv
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import jsonschema
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from analyzer.export import FORMATS, export
from analyzer.landing.staging import stage_task
from benchmarks.synthetic import write_task
from snipbench.errors import UsageError
from snipbench.lake.reader import task_rows
from snipbench.lake.tables import TABLES
from snipbench.store.sqlite import SqliteStore

POSITIVE = {"type": "number", "exclusiveMinimum": 0}
PYPERF_SUITE = {
    "type": "object",
    "required": ["version", "benchmarks"],
    "properties": {
        "version": {"const": "1.0"},
        "metadata": {"type": "object", "additionalProperties": {"type": ["string", "number"]}},
        "benchmarks": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["metadata", "runs"],
                "additionalProperties": False,
                "properties": {
                    "metadata": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string"}, "unit": {"enum": ["second", "byte", "integer"]}},
                    },
                    "runs": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["values"],
                            "additionalProperties": False,
                            "properties": {
                                "metadata": {"type": "object"},
                                "values": {"type": "array", "minItems": 1, "items": POSITIVE},
                                "warmups": {
                                    "type": "array",
                                    "items": {
                                        "type": "array",
                                        "prefixItems": [{"type": "integer", "minimum": 1}, POSITIVE],
                                        "minItems": 2,
                                        "maxItems": 2,
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}
"""The documented shape of pyperf's JSON."""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with one made-up task; written without Spark, which the formats do not care about."""
    home = tmp_path_factory.mktemp("home")
    staging = home / "staging"
    staging.mkdir()
    store = SqliteStore(home / "store.sqlite")
    write_task(store, "task-1")
    for found in stage_task(store, "task-1", staging, {}):
        table = pq.read_table(found.directory, schema=TABLES[found.table].arrow_schema())
        write_deltalake(str(home / "lake" / found.table), table, partition_by=["task_id"])
    store.close()
    return home / "lake"


@pytest.mark.parametrize("table", ["runs", "snippets", "summaries", "samples", "suggestions"])
@pytest.mark.parametrize("form", ["csv", "parquet", "json", "markdown"])
def test_every_row_is_written_in_every_plain_format(lake: Path, tmp_path: Path, table: str, form: str) -> None:
    to = tmp_path / "out"
    count = export(lake, "task-1", table, form, str(to))
    expected = task_rows(lake, table, "task-1")
    assert count == expected.num_rows
    match form:
        case "parquet":
            assert pq.read_table(to).equals(expected)
        case "json":
            assert len(json.loads(to.read_text())) == count
        case "csv":
            with to.open(newline="") as file:
                lines = list(csv.reader(file))
            assert lines[0] == list(TABLES[table].column_names)
            assert len(lines) == count + 1
        case _:
            lines = to.read_text().splitlines()
            assert len(lines) == count + 2
            assert lines[0].startswith(f"| {expected.column_names[0]} |")


def test_a_missing_value_is_empty_or_null_never_zero(lake: Path, tmp_path: Path) -> None:
    failed = [n for n, row in enumerate(task_rows(lake, "runs", "task-1").to_pylist()) if row["status"] == "failed"]
    assert failed
    export(lake, "task-1", "runs", "csv", str(tmp_path / "runs.csv"))
    export(lake, "task-1", "runs", "json", str(tmp_path / "runs.json"))
    with (tmp_path / "runs.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    documents = json.loads((tmp_path / "runs.json").read_text())
    assert {lines[n]["wall_seconds"] for n in failed} == {""}
    assert {documents[n]["wall_seconds"] for n in failed} == {None}
    assert lines[0]["parameters"] in {'{"limit":10}', '{"limit":20}'}
    assert documents[0]["started_at"].endswith("Z")


def test_pyperf_gets_a_suite_of_its_documented_shape(lake: Path, tmp_path: Path) -> None:
    export(lake, "task-1", "runs", "pyperf", str(tmp_path / "suite.json"))
    suite = json.loads((tmp_path / "suite.json").read_text())
    jsonschema.validate(suite, PYPERF_SUITE)
    names = [benchmark["metadata"]["name"] for benchmark in suite["benchmarks"]]
    assert len(set(names)) == len(names) == 6
    assert "exchange/pandas limit=10" in names
    assert not any("broken" in name for name in names)
    for benchmark in suite["benchmarks"]:
        (run,) = benchmark["runs"]
        assert (len(run["values"]), len(run["warmups"])) == (12, 1)


def test_bencher_gets_medians_with_bounds_and_no_missing_measure(lake: Path, tmp_path: Path) -> None:
    export(lake, "task-1", "runs", "bencher", str(tmp_path / "metrics.json"))
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    row = metrics["exchange/row limit=10"]
    assert set(row) == {"latency", "cpu-seconds-executor", "memory-peak-bytes"}
    assert row["latency"]["lower_value"] <= row["latency"]["value"] <= row["latency"]["upper_value"]
    assert row["latency"]["value"] == pytest.approx(1e8, rel=0.05)
    assert "exchange/broken limit=10" not in metrics


def test_a_url_takes_what_a_path_takes(lake: Path) -> None:
    export(lake, "task-1", "summaries", "json", "memory://exports/summaries.json")
    with fsspec.open("memory://exports/summaries.json") as file:
        assert len(json.load(file)) == 8


@pytest.mark.parametrize(
    ("task", "table", "form", "to", "message"),
    [
        ("task-9", "runs", "csv", "out", "task-9 is not in the lake"),
        ("task-1", "walks", "csv", "out", "there is no table 'walks'"),
        ("task-1", "runs", "xml", "out", "there is no format 'xml'"),
        ("task-1", "samples", "pyperf", "out", "made from the runs"),
        ("task-1", "runs", "csv", ".", "cannot write to"),
        ("task-1", "runs", "csv", "gopher://host/out", "cannot write to"),
    ],
)
def test_wrong_use_is_said(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, table: str, form: str, to: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        export(lake, task, table, form, to)


def test_the_formats_are_those_of_the_command_line() -> None:
    assert FORMATS == ("csv", "parquet", "json", "markdown", "pyperf", "bencher")


class Bucket(ThreadingHTTPServer):
    """Takes what is put, as an object store does; ``objects`` holds it by path."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Puts)
        self.objects: dict[str, bytes] = {}


class _Puts(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        bucket = self.server
        assert isinstance(bucket, Bucket)
        assert "Credential=somebody/" in self.headers["Authorization"]
        assert "aws-chunked" not in self.headers.get("Content-Encoding", "")
        bucket.objects[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("ETag", '"an-etag"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Nobody reads it."""


def test_an_object_store_needs_no_further_package(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Bucket() as bucket:
        threading.Thread(target=bucket.serve_forever, daemon=True).start()
        for name, value in (("ENDPOINT_URL", f"http://127.0.0.1:{bucket.server_port}"), ("ACCESS_KEY_ID", "somebody")):
            monkeypatch.setenv(f"AWS_{name}", value)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-tests")
        export(lake, "task-1", "summaries", "json", "s3://exports/of/summaries.json")
        bucket.shutdown()
    assert len(json.loads(bucket.objects["/exports/of/summaries.json"])) == 8
