"""A window on the engine for the monitor: statistics of the databases' containers, by GET, and nothing else.

It speaks the engine's own protocol, so that ``DOCKER_HOST`` may name it. It changes nothing and shows no container's
configuration; of containers outside the databases' network it says that there are none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse

router = APIRouter()
CONTAINER_ID = re.compile(r"[0-9a-f]{12,64}")


def install(app: FastAPI, client: Any, network: str) -> None:
    """Serve statistics in ``app``, without a token; ``client`` is the engine's, ``network`` that of the databases."""
    app.state.engine = client
    app.state.network = network
    app.include_router(router)
    app.include_router(router, prefix="/v{version}")


@router.get("/_ping")
def ping() -> PlainTextResponse:
    """The engine's own answer."""
    return PlainTextResponse("OK")


@router.get("/version")
def version(request: Request) -> JSONResponse:
    """Which protocol is spoken; a client asks before anything else."""
    told = request.app.state.engine.version()
    return JSONResponse({name: told[name] for name in ("ApiVersion", "MinAPIVersion", "Version") if name in told})


@router.get("/containers/{container_id}/json")
def state(container_id: str, request: Request) -> JSONResponse:
    """Since when a container runs, if it does; nothing of its configuration."""
    found = _found(request, container_id)
    if found is None:
        return _missing(container_id)
    told = {name: found["State"][name] for name in ("Status", "Running", "StartedAt", "FinishedAt")}
    return JSONResponse({"Id": found["Id"], "State": told})


@router.get("/containers/{container_id}/stats")
def statistics(container_id: str, request: Request, stream: str = "true") -> Any:
    """Frames as the engine sends them, one a second, a line each; one frame without ``stream``."""
    if _found(request, container_id) is None:
        return _missing(container_id)
    client = request.app.state.engine
    if stream.lower() in {"0", "false"}:
        return JSONResponse(client.api.stats(container_id, stream=False))
    return StreamingResponse(_lines(client.api.stats(container_id, decode=True)), media_type="application/json")


def _found(request: Request, container_id: str) -> dict[str, Any] | None:
    """What the engine tells of a container in the network of databases; None where there is none of that id."""
    from docker.errors import NotFound

    if CONTAINER_ID.fullmatch(container_id) is None:
        return None
    try:
        found: dict[str, Any] = request.app.state.engine.api.inspect_container(container_id)
    except NotFound:
        return None
    return found if request.app.state.network in found["NetworkSettings"]["Networks"] else None


def _missing(container_id: str) -> JSONResponse:
    return JSONResponse({"message": f"No such container: {container_id}"}, status_code=404)


def _lines(frames: Any) -> Iterator[bytes]:
    try:
        for frame in frames:
            yield json.dumps(frame).encode() + b"\n"
    finally:
        frames.close()
