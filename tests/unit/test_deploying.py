"""``make up`` and ``make down`` on machines that are not as they should be; a stand-in is there for ``docker``."""

from __future__ import annotations

import configparser
import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.databases.server import free_port

ROOT = Path(__file__).parents[2]
DOCKER = """\
#!/bin/bash
echo "$*" >>"$CALLS"
case "$*" in
  "version --format"*) [ -z "${NO_ENGINE:-}" ] || { echo "Cannot connect to the Docker daemon" >&2; exit 1; } ;;
  "compose version --short") [ -z "${COMPOSE_VERSION:-}" ] && exit 1; echo "$COMPOSE_VERSION" ;;
  "compose ps --quiet api") [ -z "${RUNNING:-}" ] || echo 5f3c ;;
  "run "*"serve --new-token local") echo "the token, shown this once: snip_secret" >&2; echo '{"tokens": ["entry"]}' ;;
  "compose exec -T analyzer test -e /tmp/ready") [ -e "$CALLS.looked" ] || { touch "$CALLS.looked"; exit 1; } ;;
  "compose up "*) exit "${UNREADY:-0}" ;;
esac
"""


class Machine:
    """A checkout with the two scripts, and a PATH with a ``docker`` that only notes what it is asked."""

    def __init__(self, folder: Path, listener: socket.socket) -> None:
        (folder / "checkout" / "deploy").mkdir(parents=True)
        (folder / "bin").mkdir()
        for name in ("up", "down"):
            shutil.copy(ROOT / "deploy" / name, folder / "checkout" / "deploy" / name)
        docker = folder / "bin" / "docker"
        docker.write_text(DOCKER)
        docker.chmod(0o755)
        self._calls = folder / "calls"
        self._deploy = folder / "checkout" / "deploy"
        self.secrets = self._deploy / "secrets"
        self.taken = listener.getsockname()[1]
        self.variables = {
            "PATH": f"{docker.parent}:/usr/bin:/bin",
            "CALLS": str(self._calls),
            "COMPOSE_VERSION": "2.29.1",
            "SNIPBENCH_DOCKER_SOCKET": str(folder / "socket"),
            "SNIPBENCH_PORT": str(free_port()),
        }

    def run(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        self._calls.write_text("")
        command = ["bash", str(self._deploy / script)]
        return subprocess.run(
            command, env=self.variables | variables, capture_output=True, text=True, check=False, timeout=60
        )

    def refused(self, script: str = "up", **variables: str) -> str:
        """The one line that says why; nothing was begun."""
        done = self.run(script, **variables)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        asked = ("version", "compose version", "compose ps")
        assert [call for call in self.calls() if not call.startswith(asked)] == []
        (line,) = done.stderr.splitlines()
        return line

    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as engine, socket.create_server(("127.0.0.1", 0)) as listener:
        engine.bind("socket")
        yield Machine(tmp_path, listener)


def test_what_keeps_the_services_from_starting_is_said_before_anything_is_begun(machine: Machine) -> None:
    (machine.secrets.parent / "file").touch()
    assert "does not answer (Cannot connect to the Docker daemon); is it started" in machine.refused(NO_ENGINE="1")
    assert "services need Compose v2" in machine.refused(COMPOSE_VERSION="")
    assert "is version 1.29.2" in machine.refused(COMPOSE_VERSION="1.29.2")
    assert "no socket at /nowhere" in machine.refused(SNIPBENCH_DOCKER_SOCKET="/nowhere")
    for port in ("http", "0", "65536", "80 80"):
        assert "must be a port" in machine.refused(SNIPBENCH_PORT=port)
    assert f"listens on 127.0.0.1:{machine.taken} already" in machine.refused(SNIPBENCH_PORT=str(machine.taken))
    assert "is no folder" in machine.refused(SNIPBENCH_SECRETS="deploy/file")
    assert "there is no command docker" in machine.refused(PATH=str(without_docker(machine.secrets.parent)))
    assert not machine.secrets.exists()


def without_docker(folder: Path) -> Path:
    """A folder of the programs that the scripts need, this machine's own ``docker`` not among them."""
    programs = folder / "programs"
    programs.mkdir()
    for name in ("bash", "dirname", "stat"):
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
    return programs


def test_secrets_that_others_could_read_are_refused(machine: Machine) -> None:
    machine.secrets.mkdir(mode=0o755)
    assert "open to others (mode 755); chmod 700 it" in machine.refused()
    machine.secrets.chmod(0o700)
    assert machine.run("up").returncode == 0


def test_secrets_are_made_once_whole_and_readable_by_nobody_else(machine: Machine) -> None:
    made = machine.run("up")
    assert made.returncode == 0, made.stderr
    looked = [call for call in machine.calls() if call.endswith("test -e /tmp/ready")]
    assert [call.split()[3] for call in looked] == ["leader", "executor", "monitor", "analyzer", "analyzer"]
    assert f"ready at http://127.0.0.1:{machine.variables['SNIPBENCH_PORT']};" in made.stdout
    files = {path.name: path for path in machine.secrets.iterdir()}
    assert sorted(files) == [
        "advisor-key",
        "callback-secret",
        "gitlab-token",
        "initializer-token",
        "s3-credentials",
        "s3-keys.json",
        "token",
        "tokens.json",
    ]
    assert machine.secrets.stat().st_mode & 0o777 == 0o700
    assert files["token"].stat().st_mode & 0o777 == 0o600
    assert files["token"].read_text() == "snip_secret\n"
    assert json.loads(files["tokens.json"].read_text()) == {"tokens": ["entry"]}
    (keys,) = json.loads(files["s3-keys.json"].read_text())["identities"][0]["credentials"]
    assert keys["secretKey"]
    profile = configparser.ConfigParser()
    profile.read(files["s3-credentials"])
    assert dict(profile["default"]) == {
        "aws_access_key_id": keys["accessKey"],
        "aws_secret_access_key": keys["secretKey"],
    }
    assert len(files["callback-secret"].read_text()) > 30
    assert files["callback-secret"].read_text() != files["initializer-token"].read_text()
    assert files["gitlab-token"].read_text() == files["advisor-key"].read_text() == ""
    assert "snip_secret" not in made.stdout + made.stderr
    files["gitlab-token"].write_text("glpat-1")
    kept = {name: path.read_text() for name, path in files.items()}

    files["initializer-token"].write_text("")  # an earlier version was interrupted here
    again = machine.run("up", RUNNING="1", SNIPBENCH_PORT=str(machine.taken))
    assert again.returncode == 0, again.stderr
    assert not any("--new-token" in call for call in machine.calls())
    assert files["initializer-token"].read_text() not in {"", kept.pop("initializer-token")}
    assert {name: files[name].read_text() for name in kept} == kept


def test_services_that_do_not_become_ready_are_a_failure_that_says_where_to_look(machine: Machine) -> None:
    done = machine.run("up", UNREADY="1")
    assert done.returncode == 1
    assert "'docker compose logs' say more" in done.stderr


def test_down_without_an_engine_or_its_command_says_so(machine: Machine) -> None:
    assert "does not answer" in machine.refused("down", NO_ENGINE="1")
    assert "'docker compose' is not there" in machine.refused("down", COMPOSE_VERSION="")
    assert "no command docker" in machine.refused("down", PATH=str(without_docker(machine.secrets.parent)))
    assert machine.run("down").returncode == 0
    assert machine.calls()[-1] == "compose --profile * down --volumes --remove-orphans"
