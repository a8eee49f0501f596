"""Numbers for Prometheus: requests by route, tasks by state, submissions."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from orchestrator.api.service import Reader
from snipbench.domain.run import TaskStatus
from snipbench.store.port import DocumentStore

router = APIRouter(tags=["service"])


class Metrics:
    """One application's registry and what its layers count in."""

    def __init__(self, store: DocumentStore) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter("snipbench_http_requests_total", "Requests answered", labels, registry=self.registry)
        self.seconds = Histogram(
            "snipbench_http_request_seconds", "Time to the answer", ("method", "route"), registry=self.registry
        )
        self.registry.register(_Tasks(store))


class _Tasks(Collector):
    """Tasks by state, counted when asked."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store

    def describe(self) -> Iterator[Metric]:
        """Known beforehand, so that registering asks the store nothing."""
        yield GaugeMetricFamily("snipbench_tasks", "Tasks in the store by state", labels=["status"])

    def collect(self) -> Iterator[Metric]:
        """Ask the store."""
        family = GaugeMetricFamily("snipbench_tasks", "Tasks in the store by state", labels=["status"])
        for status in TaskStatus:
            family.add_metric([status.value], self._store.count("tasks", {"status": status.value}))
        yield family
        yield GaugeMetricFamily("snipbench_runs", "Accepted runs in the store", value=self._store.count("runs"))


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(request: Request, _: Reader) -> Response:
    """In Prometheus' text format."""
    counted: Metrics = request.app.state.metrics
    return Response(generate_latest(counted.registry), media_type=CONTENT_TYPE_LATEST)
