"""``snipbench profile``: a plain script, its functions ranked."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import cli
from snipbench.lake.tables import TABLES

SCRIPT = """
import multiprocessing
import sys
from pathlib import Path

import beside


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


class Log:
    def add(self, text):
        print(text)


if __name__ == "__main__":
    assert Path(__file__).name == "script.py"
    Log().add(f"{fib(int(sys.argv[1]))} {beside.NAME} {sys.argv[2:]}")
    child = multiprocessing.get_context("fork").Process(target=fib, args=(5,))
    child.start()
    child.join()
    sys.exit(int(sys.argv[2]))
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "beside.py").write_text("NAME = 'beside'\n")
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path / "script.py"


def profile(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["profile", *map(str, arguments)], standalone_mode=False)


def test_a_script_s_functions_are_counted_in_all_its_processes(script: Path, tmp_path: Path) -> None:
    done = profile("--json", "--to", tmp_path / "calls.parquet", script, 10, 0, "--top")
    assert done.return_value == 0, done.output
    found = json.loads(done.stdout)
    assert {(row["class_name"], row["function_name"]): row["calls"] for row in found} == {
        (None, "fib"): 177 + 15,
        ("Log", "add"): 1,
    }
    rows = pq.read_table(tmp_path / "calls.parquet")
    assert rows.num_rows == 193
    assert tuple(rows.column_names) == TABLES["function_calls"].column_names


def test_a_script_that_fails_is_profiled_all_the_same(script: Path) -> None:
    done = profile("--top", 1, script, 10, 3)
    assert done.return_value == 1
    assert "ended with exit code 3" in done.output
    assert "fib" in done.output
    assert "192" in done.output


def test_a_script_that_is_not_python_is_told_as_python_tells_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.py").write_text("def f(: pass\n", "utf-8")
    assert profile(tmp_path / "broken.py").return_value == 1
    told = capfd.readouterr().err
    assert "SyntaxError" in told
    assert "Traceback" not in told
