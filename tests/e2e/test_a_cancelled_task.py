"""A task cancelled in the middle of a query: what it keeps busy is gone at once, and so is its clone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from orchestrator.client import Client
from tests.servers.redis_server import redis_server
from tests.servers.spark_cluster import CONF, spark_cluster
from tests.side_by_side import alone
from tests.waiting import until

from . import long_query
from .services import Services
from .serving import api, submitted

pytestmark = [pytest.mark.spark, pytest.mark.postgres, pytest.mark.timeout(600)]


@pytest.fixture
def others() -> list[psutil.Process]:
    """What earlier tests left running below this process."""
    return psutil.Process().children(recursive=True)


@pytest.fixture(params=["in one process", pytest.param("by services", marks=pytest.mark.redis)])
def served(request: pytest.FixtureRequest, others: list[psutil.Process], home: Path, tmp_path: Path) -> Iterator[str]:
    """The address of an API."""
    with ExitStack() as stack:
        if request.param == "in one process":
            yield stack.enter_context(api(home, tmp_path))
            return
        shared = {"SNIPBENCH_BROKER": stack.enter_context(redis_server(tmp_path))}
        url = stack.enter_context(api(home, tmp_path, **shared))
        Services(stack, home, tmp_path, shared).start("leader", "executor", "monitor", "analyzer")
        yield url


def cancelled_within_two_seconds(
    url: str, order: Path, home: Path, others: list[psutil.Process], processes: int
) -> None:
    """An order's query, under way in a session of so many JVMs, is gone so soon after the cancel, and its clone too."""
    clones = home / "databases" / "clones"
    with Client(url) as client:
        task_id = submitted(order, url)
        query = long_query.under_way(clones, psutil.Process(), others)
        assert len(query.session) == processes
        with alone():
            client.post(f"/tasks/{task_id}/cancel")
            assert query.gone(2)
        assert [data["status"] for kind, data in client.events(task_id) if kind == "end"] == ["cancelled"]
        until(lambda: list(clones.iterdir()) == [])


def test_cancel_ends_a_long_query_within_two_seconds(
    home: Path, tmp_path: Path, others: list[psutil.Process], served: str
) -> None:
    cancelled_within_two_seconds(served, long_query.write_order(tmp_path), home, others, 1)


def test_cancel_ends_a_long_query_on_a_cluster_within_two_seconds(
    home: Path, tmp_path: Path, others: list[psutil.Process]
) -> None:
    with spark_cluster(tmp_path) as master, api(home, tmp_path) as url:
        # The driver, and the worker's executor.
        cancelled_within_two_seconds(url, long_query.write_order(tmp_path, master, CONF), home, others, 2)
