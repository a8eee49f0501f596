"""The commands around an order: they answer without running anything, and wrong use ends with exit code 2."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.cli import COMMANDS, cli, main
from orchestrator.orders.template import write_example
from snipbench.errors import UsageError
from tests.orders import ONE_SUM

from .conftest import ROOT, json_of, run_command


def test_help_names_every_command() -> None:
    done = run_command("--help")
    assert done.returncode == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself(name: str) -> None:
    done = CliRunner().invoke(cli, [name, "--help"], prog_name="snipbench")
    assert done.exit_code == 0, done.output
    assert f"Usage: snipbench {name}" in done.output


def test_a_wrong_setting_is_wrong_use(tmp_path: Path) -> None:
    order = ROOT / "configs" / "quickstart.yaml"
    done = run_command("run", order, "--home", tmp_path, SNIPBENCH_RESULT_GRACE_SECONDS="soon")
    assert done.returncode == 2
    assert "SNIPBENCH_RESULT_GRACE_SECONDS must be a number of seconds, not 'soon'" in done.stderr


def test_a_mistyped_command_is_answered_with_the_nearest_name() -> None:
    done = run_command("chek")
    assert done.returncode == 2
    assert "Did you mean 'check'" in done.stderr


def test_a_broken_order_is_one_message_per_mistake_with_its_line(tmp_path: Path) -> None:
    order = tmp_path / "broken.yaml"
    order.write_text("name: broken\nsede: 7\ndatabases: {}\nexperiments: []\n", "utf-8")
    for command in ("check", "run", "plan"):
        done = run_command(command, order, *(["--home", tmp_path / "home"] if command != "check" else []))
        assert done.returncode == 2
        assert f"{order}:2:1: sede" in done.stderr
        assert "seed" in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "home").exists()


def test_check_as_json_lists_the_mistakes(tmp_path: Path) -> None:
    order = tmp_path / "broken.yaml"
    order.write_text("name: broken\nsede: 7\n", "utf-8")
    done = run_command("check", order, "--json")
    assert done.returncode == 2
    found = json.loads(done.stdout)
    assert found["valid"] is False
    assert {"file", "line", "column", "path", "message"} <= set(found["mistakes"][0])


@pytest.mark.parametrize("order", sorted((ROOT / "configs").rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_ready_order_has_no_mistake(order: Path) -> None:
    done = run_command("check", order)
    assert done.returncode == 0, done.stderr


def test_init_writes_an_order_that_checks_and_plans(tmp_path: Path) -> None:
    done = run_command("init", tmp_path / "tour")
    assert done.returncode == 0, done.stderr
    order = tmp_path / "tour" / "order.yaml"
    assert run_command("check", order).returncode == 0
    plan = json_of(run_command("plan", order, "--home", tmp_path / "home", "--json"))
    assert plan["slots"]
    again = run_command("init", tmp_path / "tour")
    assert again.returncode == 2


def test_init_writes_nothing_where_it_cannot_write_all(tmp_path: Path) -> None:
    (tmp_path / "snippets").touch()
    with pytest.raises(UsageError):
        write_example(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["snippets"]


def test_an_override_changes_the_plan_hash(tmp_path: Path) -> None:
    order = ROOT / "configs" / "quickstart.yaml"
    plain = json_of(run_command("plan", order, "--home", tmp_path, "--json"))
    same = json_of(run_command("plan", order, "--home", tmp_path, "--json"))
    other = json_of(run_command("plan", order, "--home", tmp_path, "--json", "--seed", "8"))
    assert plain["plan_hash"] == same["plan_hash"] != other["plan_hash"]


def test_results_of_an_empty_home_are_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    for command in ("list", "show", "status", "report"):
        done = run_command(command, "--home", tmp_path / "nothing")
        assert done.returncode == 2
        assert "run an order first" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["databases", "list"], 0),
        (["clean"], 0),
        (["databases", "verify", "all"], 2),
        (["databases", "remove", "all"], 2),
        (["query", "select 1"], 2),
        (["retry"], 2),
        (["export", "latest", "--table", "runs", "--format", "csv", "--to", "x.csv"], 2),
        (["plan", str(ROOT / "configs" / "quickstart.yaml")], 0),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else None,
)
def test_what_only_looks_makes_no_home(
    arguments: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "nothing"
    assert called([*arguments, "--home", str(home)], monkeypatch) == code
    assert capsys.readouterr().err.count("\n") <= 1
    assert not home.exists()


def test_a_home_that_cannot_be_is_wrong_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "file").touch()
    order = str(ROOT / "configs" / "quickstart.yaml")
    for home in (tmp_path / "circle", tmp_path / "file", tmp_path / "file" / "below", Path("/proc/none")):
        assert called(["run", order, "--home", str(home)], monkeypatch) == 2
        assert str(home) in capsys.readouterr().err


def test_a_dataset_that_cannot_be_used_is_wrong_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nothing").mkdir()
    order = tmp_path / "order.yaml"
    order.write_text(ONE_SUM.replace("{generator: tpch, scale: 0.01}", "{data_directory: nothing}"), "utf-8")
    assert called(["plan", str(order), "--home", str(tmp_path / "home")], monkeypatch) == 2
    assert "is no PostgreSQL data directory: it has no file PG_VERSION" in capsys.readouterr().err


def test_without_a_jdk_nothing_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert (
        called(["run", str(ROOT / "configs" / "quickstart.yaml"), "--home", str(tmp_path / "home")], monkeypatch) == 2
    )
    assert "install a JDK 17 or 21" in capsys.readouterr().err
    assert not (tmp_path / "home" / "databases" / "prototypes").exists()
    assert called(["list", "--home", str(tmp_path / "home")], monkeypatch) == 0
    assert "no tasks" in capsys.readouterr().out


def test_output_that_cannot_be_written_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("w", encoding="ascii") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert called(["version"], monkeypatch) == 1
        with contextlib.suppress(OSError):
            full.close()
    assert capsys.readouterr().err == "error: [Errno 28] No space left on device\n"


def called(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    """Exit code of the command, called in this process."""
    monkeypatch.setattr(sys, "argv", ["snipbench", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_doctor_names_what_it_looked_at() -> None:
    found = json_of(run_command("doctor", "--json"))
    assert [finding["subject"] for finding in found] == [
        "Python",
        "JDK",
        "pyspark",
        "delta-spark",
        "jars",
        "memory",
        "disk",
        "Docker",
        "sandbox",
    ]
    assert all(finding["remedy"] for finding in found if finding["blocks"])


def test_the_readme_names_the_two_commands_and_every_file_it_links_is_there() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "make run" in readme
    assert "make test" in readme
    links = re.findall(r"\]\(((?!https?:)[^)#]+)\)", readme)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
