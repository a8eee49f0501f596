"""The services as `make up` starts them from compose.yaml, with images of tests/stack/prepare where none are named."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.result import NotMeasured
from orchestrator.client import Client
from orchestrator.databases.server import free_port

ROOT = Path(__file__).parent.parent
QUICKSTART = ROOT / "configs" / "quickstart.yaml"
IMAGES = {
    "SNIPBENCH_IMAGE": "snipbench-test/snipbench:local",
    "SNIPBENCH_BASE_IMAGE": "snipbench-test/debian:12",
    "SNIPBENCH_REDIS_IMAGE": "snipbench-test/redis:7",
    "SNIPBENCH_MONGO_IMAGE": "snipbench-test/mongo:7",
    "SNIPBENCH_POSTGRES_IMAGE": "snipbench-test/postgres:15",
}
COMMAND_SECONDS = 1200


@dataclass(frozen=True)
class Composed:
    """A started stack: its project's name, the API's address and token, the variables that it was started with."""

    project: str
    url: str
    token: str
    variables: Mapping[str, str]

    def snipbench(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """The command line, speaking to this stack; the caller judges the exit code."""
        return called(snipbench(*arguments, "--api", self.url), {**self.variables, "SNIPBENCH_TOKEN": self.token})

    def client(self) -> Client:
        """A client of this stack's API, to be closed."""
        return Client(self.url, self.token)

    def containers(self) -> list[str]:
        """Ids of the services' containers, databases not among them."""
        return docker("ps", "--quiet", "--filter", f"label=com.docker.compose.project={self.project}")

    def clones(self) -> list[str]:
        """Ids of the databases' containers."""
        return docker("ps", "--quiet", "--filter", f"label=snipbench.network={self._network}")

    def logs(self) -> str:
        """The last lines of every service."""
        return checked([*self.variables["COMPOSE"].split(), "logs", "--tail", "60"], self.variables)

    def down(self) -> None:
        """`make down`."""
        checked(["make", "down"], self.variables)

    def left(self) -> list[str]:
        """Ids of containers, volumes and networks that the engine has of this stack, whoever made them."""
        marks = (f"label=com.docker.compose.project={self.project}", f"label=snipbench.network={self._network}")
        kinds = (("ps", "--all"), ("volume", "ls"), ("network", "ls"))
        return [name for mark in marks for kind in kinds for name in docker(*kind, "--quiet", "--filter", mark)]

    @property
    def _network(self) -> str:
        return self.variables["SNIPBENCH_DATABASES_NETWORK"]


def needs_images() -> None:
    """The images that cannot be pulled here are there.

    Raises:
        NotMeasured: one is missing.
    """
    for image in (IMAGES["SNIPBENCH_IMAGE"], IMAGES["SNIPBENCH_MONGO_IMAGE"]):
        if called(["docker", "image", "inspect", image], {}).returncode != 0:
            raise NotMeasured(f"there is no image {image}; tests/stack/prepare makes them")


@contextmanager
def composed(folder: Path, extra: Mapping[str, str] | None = None) -> Iterator[Composed]:
    """A stack of its own on a free port, removed at the end.

    Args:
        folder: for its secrets.
        extra: further variables, profiles for example.

    Raises:
        NotMeasured: there is no Compose, or an image is missing.
    """
    project = f"snipbench-test-{os.getpid()}"
    variables = {name: os.environ.get(name, image) for name, image in IMAGES.items()} | {
        "COMPOSE": compose(),
        "COMPOSE_PROJECT_NAME": project,
        "DOCKER_BUILDKIT": "0",
        "SNIPBENCH_BUILD_NETWORK": "host",
        "SNIPBENCH_DATABASES_NETWORK": f"{project}_databases",
        "SNIPBENCH_PORT": str(free_port()),
        "SNIPBENCH_SECRETS": str(folder / "secrets"),
    }
    variables |= extra or {}
    try:
        told = checked(["make", "up"], variables)
        url = re.search(r"ready at (\S+);", told)
        if url is None:
            raise RuntimeError(f"`make up` shows no address:\n{told}")
        yield Composed(project, url.group(1), (folder / "secrets" / "token").read_text().strip(), variables)
    finally:
        checked(["make", "down"], variables)


def compose() -> str:
    """Compose v2: the program of ``SNIPBENCH_TEST_COMPOSE``, the engine's own, or what tests/stack/prepare leaves."""
    named = os.environ.get("SNIPBENCH_TEST_COMPOSE")
    if named:
        return named
    if shutil.which("docker") and called(["docker", "compose", "version"], {}).returncode == 0:
        return "docker compose"
    prepared = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "snipbench" / "docker-compose"
    if prepared.exists():
        return str(prepared)
    raise NotMeasured("needs Compose v2 (tests/stack/prepare makes it, and the images)")


def hashes(outcome: Mapping[str, Any]) -> dict[tuple[str, str, str], str | None]:
    """Result hash by experiment, snippet and parameters, of what `run --json` and `submit --wait --json` print."""
    return {
        (experiment["name"], snippet["name"], str(sorted(snippet["parameters"].items()))): snippet["result_hash"]
        for experiment in outcome["experiments"]
        for snippet in experiment["snippets"]
    }


def stages(events: list[dict[str, Any]]) -> list[int]:
    """Numbers of the stages in an event log, each where it came first."""
    numbers = [event["stage"] for event in events if event.get("stage")]
    return list(dict.fromkeys(numbers))


def snipbench(*arguments: object) -> list[str]:
    """``snipbench ARGUMENTS`` from this checkout."""
    return [sys.executable, "-m", "orchestrator", *map(str, arguments)]


def called(command: list[str], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A command to its end, in the checkout's folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS
    )


def checked(command: list[str], variables: Mapping[str, str]) -> str:
    """All that a command says.

    Raises:
        RuntimeError: it failed.
    """
    done = called(command, variables)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout[-4000:]}\n{done.stderr[-8000:]}")
    return done.stdout + done.stderr


def docker(*arguments: str) -> list[str]:
    """The words that the engine's client prints."""
    return checked(["docker", *arguments], {}).split()
