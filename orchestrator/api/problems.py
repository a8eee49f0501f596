"""Errors as RFC 9457 problem documents: one clear problem each, never a stack trace, never a secret."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Route

from analyzer.words import several
from orchestrator.leading.lease import TaskHeld
from snipbench.errors import (
    DispatchAway,
    Mistake,
    OrderError,
    SnipbenchError,
    SourceError,
    StoreAway,
    UsageError,
)

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger("snipbench.api")

TITLES = {
    400: "The request is wrong",
    401: "A token is needed",
    403: "The token does not allow this",
    404: "There is no such thing",
    405: "Not allowed here",
    409: "Not possible in this state",
    411: "The length is needed",
    413: "The request is too large",
    415: "Not a type that is understood",
    421: "Not asked under this name",
    422: "The request is wrong",
    429: "Too many requests",
    500: "Something went wrong here",
    502: "A source answered badly",
    503: "Not available now",
    504: "A source did not answer in time",
}


class MistakeModel(BaseModel):
    """One mistake in an order; ``at`` is ``file:line:column``."""

    at: str = Field(examples=["order.yaml:2:1"])
    file: str
    line: int
    column: int
    path: str
    message: str

    @classmethod
    def of(cls, mistake: Mistake) -> MistakeModel:
        """The model of a mistake."""
        at = f"{mistake.file}:{mistake.line}:{mistake.column}"
        return cls(
            at=at,
            file=mistake.file,
            line=mistake.line,
            column=mistake.column,
            path=mistake.path,
            message=mistake.message,
        )


class ProblemModel(BaseModel):
    """A problem document (RFC 9457). ``mistakes`` lists all mistakes of an order, in file order."""

    type: str = Field(examples=["urn:snipbench:problem:order"])
    title: str
    status: int
    detail: str
    instance: str | None = None
    mistakes: list[MistakeModel] | None = None


class Problem(Exception):
    """Raised by a route; becomes the answer. ``kind`` ends the URN of its type."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        headers: dict[str, str] | None = None,
        mistakes: tuple[Mistake, ...] | None = None,
    ) -> None:
        self.status = status
        self.kind = kind
        self.detail = detail
        self.headers = headers or {}
        self.mistakes = mistakes
        super().__init__(detail)


def problem_of(error: SnipbenchError) -> Problem:
    """How one of our errors is told over HTTP."""
    detail = str(error)
    if isinstance(error, OrderError):
        return Problem(
            422, "order", f"the order has {several(len(error.mistakes), 'mistake')}", mistakes=error.mistakes
        )
    if isinstance(error, TaskHeld):
        return Problem(409, "state", detail)
    if isinstance(error, SourceError):
        status = 503 if error.retryable else 422
        return Problem(status, f"source-{error.reason.replace('_', '-')}", detail)
    if isinstance(error, UsageError):
        missing = detail.startswith("there is no ")
        return Problem(404 if missing else 422, "missing" if missing else "usage", detail)
    if isinstance(error, StoreAway | DispatchAway):
        return Problem(503, "away", detail, headers={"Retry-After": "5"})
    return Problem(500, "internal", detail)


def answer(problem: Problem, instance: str | None) -> JSONResponse:
    """The response of a problem."""
    body: dict[str, Any] = {
        "type": f"urn:snipbench:problem:{problem.kind}",
        "title": TITLES.get(problem.status, "Problem"),
        "status": problem.status,
        "detail": problem.detail,
        "instance": instance,
    }
    if problem.mistakes is not None:
        body["mistakes"] = [MistakeModel.of(mistake).model_dump() for mistake in problem.mistakes]
    return JSONResponse(body, status_code=problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Every error of the application leaves as a problem document."""

    @app.exception_handler(Problem)
    def told(request: Request, error: Problem) -> JSONResponse:
        return answer(error, request.url.path)

    @app.exception_handler(SnipbenchError)
    def ours(request: Request, error: SnipbenchError) -> JSONResponse:
        return answer(problem_of(error), request.url.path)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        # The values themselves stay out: they may be secrets.
        texts = [f"{'.'.join(str(step) for step in one['loc'])}: {one['msg']}" for one in error.errors()[:20]]
        return answer(Problem(422, "request", "; ".join(texts)), request.url.path)

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(sorted(_methods(app, request.url.path)))
        return answer(Problem(error.status_code, "http", str(error.detail), headers=headers), request.url.path)

    @app.exception_handler(Exception)
    def unforeseen(request: Request, error: Exception) -> JSONResponse:
        _log.error("unforeseen error", exc_info=error, extra={"path": request.url.path})
        return answer(Problem(500, "internal", "unforeseen; the service's log says more"), request.url.path)


def _methods(app: FastAPI, path: str) -> set[str]:
    """What the path answers to; the framework names the methods of one route only."""
    routes = (route for route in app.routes if isinstance(route, Route) and route.path_regex.match(path))
    return {method for route in routes for method in route.methods or ()}
