"""Logs of the services: one JSON object per line, with ids, without secrets."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.logs import FIELDS, about, add_to_about, log_to
from orchestrator.settings import forget_secrets, read_settings
from snipbench.errors import UsageError


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (root.handlers, root.level)
    yield io.StringIO()
    root.handlers = before[0]
    root.setLevel(before[1])


def test_a_line_is_an_object_with_its_ids_and_without_secrets(stream: io.StringIO) -> None:
    log_to(stream, ["canary-value"])
    log = logging.getLogger("snipbench.test")
    try:
        raise ValueError("mongodb://user:pw@host and canary-value")
    except ValueError:
        log.exception(
            "fetching with token=abc canary-value", extra={"task_id": "task-1", "path": "/x?key=canary-value"}
        )
    (line,) = stream.getvalue().splitlines()
    told = json.loads(line)
    assert (told["level"], told["task_id"], told["logger"]) == ("error", "task-1", "snipbench.test")
    assert told["at"].endswith("Z")
    for secret in ("canary-value", "pw@", "token=abc"):
        assert secret not in line


def test_lines_of_a_piece_of_work_carry_its_ids_and_those_of_other_threads_do_not(stream: io.StringIO) -> None:
    log_to(stream)
    log = logging.getLogger("snipbench.test")
    with about(task_id="task-1", work="lead"):
        add_to_about(order_id="order-1")
        log.info("a run", extra={"slot_id": "slot-1"})
        other = threading.Thread(target=log.info, args=("a request",))
        other.start()
        other.join()
    add_to_about(order_id="order-2")
    log.info("idle")
    ids = [{name: value for name, value in json.loads(line).items() if name in FIELDS} for line in _lines(stream)]
    assert ids == [{"order_id": "order-1", "task_id": "task-1", "work": "lead", "slot_id": "slot-1"}, {}, {}]


def _lines(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def test_settings_take_secrets_from_files_and_show_none(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("glpat-canary\n")
    settings = read_settings(
        {
            "SNIPBENCH_GITLAB_TOKEN_FILE": str(file),
            "SNIPBENCH_STORE": "mongodb://user:store-canary@mongo/snipbench",
            "SNIPBENCH_SOURCE_HOSTS": "a.example, B.example:8443",
        },
        tmp_path,
    )
    assert settings.gitlab_token is not None
    assert settings.gitlab_token.value == "glpat-canary"
    assert settings.secrets() == ("glpat-canary", "store-canary")
    assert settings.source_hosts == {"a.example", "b.example:8443"}
    assert "canary" not in f"{settings!r} {settings.gitlab_token}"


def test_what_holds_a_secret_is_not_inherited_by_children() -> None:
    environment = {
        "SNIPBENCH_STORE": "mongodb://user:pw@mongo/x",
        "SNIPBENCH_GITLAB_TOKEN": "t",
        "SNIPBENCH_CALLBACK_SECRET_FILE": "/run/secrets/x",
        "SNIPBENCH_HOME": "/home",
        "PATH": "/bin",
    }
    forget_secrets(environment)
    assert environment == {"SNIPBENCH_HOME": "/home", "PATH": "/bin"}


@pytest.mark.parametrize(
    "environment",
    [
        {"SNIPBENCH_GITLAB_TOKEN_FILE": "/none"},
        {"SNIPBENCH_CALLBACK_SECRET_FILE": "/dev/null"},
        {"SNIPBENCH_INITIALIZER_TOKEN_FILE": "/dev/null"},
        {"SNIPBENCH_MAX_BODY_BYTES": "many"},
    ],
)
def test_settings_that_cannot_be_had_are_wrong_use(tmp_path: Path, environment: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        read_settings(environment, tmp_path)
