"""The application: routes, layers around them, threads beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import CapacityLimiter
from fastapi import FastAPI

from orchestrator.api import analyses, events, health, metrics, orders, problems, tasks
from orchestrator.api.accounts import Accounts
from orchestrator.api.bodies import Submission
from orchestrator.api.callbacks import Caller
from orchestrator.api.limits import BodyLimit, LoopbackName
from orchestrator.api.service import Service
from orchestrator.dispatch.reconciler import Reconciler
from snipbench import __version__

_DESCRIPTION = """\
Submit orders, follow their tasks, fetch results and reports.

Errors are [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem documents. With tokens configured everything but
`/healthz`, `/readyz` and this document, `/openapi.json`, needs `Authorization: Bearer …`.
"""

SUBMISSIONS_AT_ONCE = 4
"""More wait; each may take seconds of the processor."""
FETCHES_AT_ONCE = 16
"""The same of links, most of whose time is a server's."""


def create_app(service: Service) -> FastAPI:
    """The application of a service. Its threads live as long as it is served."""
    counted = metrics.Metrics(service.store)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        reconciler = Reconciler(service.store, service.clock, service.dispatch)
        caller = Caller(service.store, service.clock, service.settings)
        reconciler.start()
        caller.start()
        try:
            yield
        finally:
            caller.stop()
            reconciler.stop()

    app = FastAPI(
        title="snipbench",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        responses={
            "4XX": {"model": problems.ProblemModel, "description": "What was wrong with the request"},
            "5XX": {"model": problems.ProblemModel, "description": "What went wrong here"},
        },
        generate_unique_id_function=lambda route: route.name,
        redoc_url=None,
        docs_url=None,
    )
    app.state.service = service
    app.state.metrics = counted
    app.state.submitting = CapacityLimiter(SUBMISSIONS_AT_ONCE)
    app.state.fetching = CapacityLimiter(FETCHES_AT_ONCE)
    problems.install(app)
    for module in (orders, tasks, events, analyses, health, metrics):
        app.include_router(module.router)
    _describe_submission(app)
    app.add_middleware(BodyLimit, limit=service.settings.max_body_bytes, tokens=service.tokens)
    if service.tokens is None:
        app.add_middleware(LoopbackName)
    app.add_middleware(Accounts, metrics=counted)
    return app


def _describe_submission(app: FastAPI) -> None:
    """The body of ``POST /orders`` is read by ourselves; its schema joins the others of the document."""
    original = app.openapi

    def openapi() -> dict[str, object]:
        document = original()
        schemas = document["components"]["schemas"]
        if "Submission" not in schemas:
            schema = Submission.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= schema.pop("$defs", {})
            schemas["Submission"] = schema
            _as_problems(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _as_problems(document: dict[str, object]) -> None:
    """Errors are ``application/problem+json``, the framework's own description of 422 included."""
    paths = document["paths"]
    assert isinstance(paths, dict)
    for operations in paths.values():
        for operation in operations.values():
            answers = operation["responses"]
            answers.pop("422", None)
            for status, described in answers.items():
                if status.startswith(("4", "5")) and "application/json" in described.get("content", {}):
                    described["content"] = {problems.MEDIA_TYPE: described["content"]["application/json"]}
