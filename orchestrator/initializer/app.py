"""The initializer's HTTP interface: ids in, connections out. One bearer token; no path, no option of a container."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from orchestrator.api.limits import BodyLimit
from orchestrator.api.problems import Problem, install
from orchestrator.databases.documents import database_to_document, prototype_to_document
from orchestrator.databases.port import DatabaseProvider, Prototype
from orchestrator.initializer.meaning import meaning_of
from orchestrator.initializer.requests import Requests
from orchestrator.leading.parts import Home
from orchestrator.settings import Secret
from snipbench.errors import DatabaseError, SnipbenchError
from snipbench.store.port import DocumentStore

MAX_BODY_BYTES = 64 * 1024
LONGEST_WAIT_SECONDS = 20.0
Document = dict[str, Any]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")]
router = APIRouter()


@dataclass(frozen=True, slots=True)
class Initializer:
    """What stands behind the interface."""

    provider: DatabaseProvider
    store: DocumentStore
    home: Home
    token: Secret
    requests: Requests


class Asked(BaseModel):
    """Which database is meant; ``request_id`` is the caller's, the same when it asks again."""

    model_config = ConfigDict(extra="forbid")
    request_id: Id
    task_id: Id
    database: str = Field(max_length=200)


class AskedClone(Asked):
    """``tables``: which of the order's tables will be read; None where that is not known."""

    tables: list[str] | None = Field(default=None, max_length=10_000)


class AskedPrototype(BaseModel):
    """A prototype by its key."""

    model_config = ConfigDict(extra="forbid")
    request_id: Id


def _initializer(request: Request) -> Initializer:
    found: Initializer = request.app.state.initializer
    return found


def _allowed(request: Request, initializer: Annotated[Initializer, Depends(_initializer)]) -> Initializer:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not hmac.compare_digest(token.encode(), initializer.token.value.encode()):
        raise Problem(401, "token", "a bearer token is needed", headers={"WWW-Authenticate": "Bearer"})
    return initializer


Allowed = Annotated[Initializer, Depends(_allowed)]


def create_app(initializer: Initializer) -> FastAPI:
    """The application."""
    app = FastAPI(title="snipbench initializer", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.initializer = initializer
    install(app)
    app.include_router(router)
    app.add_middleware(BodyLimit, limit=MAX_BODY_BYTES)
    return app


@router.get("/healthz")
def healthy() -> Document:
    """Whether this process serves."""
    return {"status": "ok"}


@router.post("/prototypes", status_code=202)
def prepare(asked: Asked, initializer: Allowed) -> Document:
    """Have the prototype of a task's database built, or found."""

    def work() -> Document:
        meant = meaning_of(initializer.store, initializer.home, asked.task_id, asked.database)
        return prototype_to_document(initializer.provider.prepare(meant.database, meant.base, owner=asked.task_id))

    return _begun(initializer, asked.request_id, work)


@router.get("/prototypes")
def prototypes(initializer: Allowed) -> list[Document]:
    """All that are there."""
    return [prototype_to_document(prototype) for prototype in initializer.provider.prototypes()]


@router.post("/prototypes/{key}/verification", status_code=202)
def verify(key: Id, asked: AskedPrototype, initializer: Allowed) -> Document:
    """Have every byte of a prototype compared with its manifest."""
    prototype = _prototype(initializer, key)
    return _begun(initializer, asked.request_id, lambda: {"differences": list(initializer.provider.verify(prototype))})


@router.delete("/prototypes/{key}", status_code=204)
def remove(key: Id, initializer: Allowed) -> None:
    """Remove a prototype that nobody uses."""
    try:
        initializer.provider.remove(_prototype(initializer, key))
    except DatabaseError as error:
        raise Problem(409, "state", str(error)) from error


@router.post("/clones", status_code=202)
def clone(asked: AskedClone, initializer: Allowed) -> Document:
    """Have a fresh clone made for a task, and served."""

    def work() -> Document:
        meant = meaning_of(initializer.store, initializer.home, asked.task_id, asked.database)
        prototype = initializer.provider.prepare(meant.database, meant.base, owner=asked.task_id)
        return database_to_document(
            initializer.provider.clone(prototype, meant.database, owner=asked.task_id, tables=meant.read(asked.tables))
        )

    return _begun(initializer, asked.request_id, work)


@router.get("/clones")
def clones(initializer: Allowed) -> dict[str, str]:
    """The task that each clone was made for, by the clone's id."""
    return dict(initializer.provider.clones())


@router.get("/clones/{clone_id}")
def find(clone_id: Id, initializer: Allowed) -> Document:
    """How to reach a clone that is served."""
    try:
        return database_to_document(initializer.provider.find(clone_id))
    except DatabaseError as error:
        raise Problem(404, "missing", str(error)) from error


@router.delete("/clones/{clone_id}", status_code=204)
def release(clone_id: Id, initializer: Allowed) -> None:
    """End a clone; twice is no error."""
    initializer.provider.release(clone_id)


@router.get("/requests/{request_id}")
def outcome(
    request_id: Id, initializer: Allowed, seconds: Annotated[float, Query(ge=0, le=LONGEST_WAIT_SECONDS)] = 0
) -> JSONResponse:
    """What became of a request: ``running``, ``done`` with its document, or ``failed`` with the error's kind."""
    try:
        document = initializer.requests.outcome(request_id, seconds)
    except KeyError:
        raise Problem(404, "missing", f"there is no request {request_id!r}") from None
    except SnipbenchError as error:
        return JSONResponse({"state": "failed", "kind": type(error).__name__, "message": str(error)})
    if document is None:
        return JSONResponse({"state": "running"})
    return JSONResponse({"state": "done", "document": document})


def _begun(initializer: Initializer, request_id: str, work: Callable[[], Document]) -> Document:
    initializer.requests.begin(request_id, work)
    return {"request_id": request_id}


def _prototype(initializer: Initializer, key: str) -> Prototype:
    for prototype in initializer.provider.prototypes():
        if prototype.prototype_key == key:
            return prototype
    raise Problem(404, "missing", f"there is no prototype {key!r}")
