"""Fixtures every group of tests shares, and the groups: tests that need what a machine may lack.

A group whose need is missing is skipped and named in the last lines. With ``SNIPBENCH_REQUIRE_GROUPS=all`` (continuous
integration) nothing is skipped: the tests run and fail for what is missing.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator import jars as jar_cache
from snipbench.resources.cgroup_path import hierarchies
from tests.side_by_side import SideBySide, arrange, turn

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


os.environ.setdefault("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1")
"""No test measures speed, and most of a short session goes into compiling: with the first compiler alone, 40 % less."""

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
"""Where it is set, each of the hundreds of processes that tests start would compile our modules anew."""

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in the background so. The commands that tests interrupt would inherit it, and respect it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def jars() -> tuple[Path, ...]:
    """Delta's and PostgreSQL's jars, verified."""
    return jar_cache.ensure()


@pytest.fixture(scope="session")
def start_spark() -> Iterator[Callable[..., SparkSession]]:
    """``start_spark(name, conf)``: a small Spark session in this process, two cores, no pages. Spark has one context
    per process: whoever asks second gets it with the SQL settings of both. It ends with the last test.

    Compiling code for each tiny query would take longer than the queries; what depends on it must turn it on.
    """
    from pyspark.sql import SparkSession

    started: list[SparkSession] = []

    def start(name: str, conf: Mapping[str, str] | None = None) -> SparkSession:
        builder = SparkSession.builder.master("local[2]").appName(name)
        defaults = {
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.codegen.wholeStage": "false",
            "spark.sql.adaptive.enabled": "false",
        }
        for key, value in (defaults | dict(conf or {})).items():
            builder = builder.config(key, value)
        started.append(builder.getOrCreate())
        started[-1].sparkContext.setLogLevel("ERROR")
        return started[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        yield start
        for session in started[:1]:
            session.stop()


@pytest.fixture(scope="session")
def mongo_server() -> str:
    """URL of the server of MongoDB's protocol, without a database; for tests of the groups mongo and ferretdb."""
    return os.environ["SNIPBENCH_TEST_MONGO"].rstrip("/")


def _java() -> str | None:
    return None if shutil.which("java") else "no JDK"


def _docker() -> str | None:
    client = shutil.which("docker")
    if client is None:
        return "no Docker client"
    asked = subprocess.run([client, "info"], capture_output=True, check=False, timeout=30)
    if asked.returncode != 0:
        return "no Docker engine"
    image = os.environ.get("SNIPBENCH_POSTGRES_IMAGE", "postgres:16")
    found = subprocess.run([client, "image", "inspect", image], capture_output=True, check=False, timeout=30)
    return None if found.returncode == 0 else f"no image {image} (tests/servers/postgres-image/make makes one)"


STACK_IMAGES = tuple(f"snipbench-test/{name}" for name in ("snipbench:local", "redis:7", "mongo:7", "postgres:15"))


def _stack() -> str | None:
    if lack := _java() or _docker():
        return lack
    if not os.environ.get("SNIPBENCH_TEST_COMPOSE"):
        return "SNIPBENCH_TEST_COMPOSE names no program of Compose v2 (tests/stack/prepare makes one)"
    if os.environ.get("SNIPBENCH_TEST_STACK_PREPARED"):
        return None  # being made meanwhile: the tests wait for it, and fail where it failed
    for image in STACK_IMAGES:
        found = subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False, timeout=30)
        if found.returncode != 0:
            return f"no image {image} (tests/stack/prepare makes it)"
    return None


def _sandbox() -> str | None:
    return None if shutil.which("bwrap") else "no bubblewrap"


def _browser() -> str | None:
    return None if shutil.which("chromium") or shutil.which("google-chrome") else "no Chromium"


def _redis() -> str | None:
    return None if shutil.which("redis-server") else "no redis-server"


def _mongo() -> str | None:
    return None if os.environ.get("SNIPBENCH_TEST_MONGO") else "SNIPBENCH_TEST_MONGO names no server"


def _ferretdb() -> str | None:
    if lack := _mongo():
        return lack
    from snipbench.store.mongo import MongoStore

    store = MongoStore(f"{os.environ['SNIPBENCH_TEST_MONGO'].rstrip('/')}/snipbench_test")
    try:
        return None if store.server_is_ferret() else "the server is not FerretDB"
    finally:
        store.close()


def _root() -> str | None:
    return None if os.geteuid() == 0 else "not root"


def _cgroups() -> str | None:
    if lack := _root():
        return lack
    for point in set(hierarchies().values()):
        group = point / f"snipbench-test-{os.getpid()}"
        try:
            group.mkdir()
            group.rmdir()
        except OSError as error:
            return f"cannot make control groups: {error}"
    return None if hierarchies() else "no control groups"


def _mounts() -> str | None:
    if lack := _root():
        return lack
    with tempfile.TemporaryDirectory() as point:
        mount = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", point], capture_output=True, text=True, check=False)
        if mount.returncode == 0:
            subprocess.run(["umount", point], check=True)
            return None
    return f"cannot mount: {mount.stderr.strip()}"


def _xfs() -> str | None:
    return None if shutil.which("mkfs.xfs") else "no mkfs.xfs"


def _maven() -> str | None:
    return None if shutil.which("mvn") else "no Maven"


GROUPS = {
    "spark": _java,
    "docker": _docker,
    "stack": _stack,
    "sandbox": _sandbox,
    "browser": _browser,
    "redis": _redis,
    "mongo": _mongo,
    "ferretdb": _ferretdb,
    "root": _root,
    "mounts": _mounts,
    "cgroups": _cgroups,
    "xfs": _xfs,
    "maven": _maven,
}


def _all_required() -> bool:
    return os.environ.get("SNIPBENCH_REQUIRE_GROUPS") == "all"


@cache
def _lack(group: str) -> str | None:
    return GROUPS[group]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run, unless every group is required."""
    arrange(items)
    if _all_required():
        return
    for item in items:
        for group in GROUPS:
            if item.get_closest_marker(group) and _lack(group):
                item.add_marker(pytest.mark.skip(reason=f"group {group}: {_lack(group)}"))


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> SideBySide:
    """Several processes share the tests by group."""
    return SideBySide(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool, bool]:
    """Each test in its turn."""
    with turn(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where every group is required a test that skips itself has failed."""
    report = yield
    if report.skipped and _all_required() and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself as a whole."""
    report = yield
    if report.skipped and _all_required():
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the groups that were skipped."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "group " in str(report.longrepr)]
    counts: dict[str, int] = {}
    for report in skipped:
        reason = str(report.longrepr[2]).removeprefix("Skipped: ")
        counts[reason] = counts.get(reason, 0) + 1
    for reason, count in sorted(counts.items()):
        terminalreporter.write_line(f"skipped {reason} ({count} tests)")
