"""A gateway to a language model's endpoint, for services that reach no network and hold no key.

It takes one kind of request, ``POST /v1/chat/completions`` of OpenAI's protocol, hands it on under its own key, and
gives back what came, without the key. Whoever reaches it may ask: it belongs into a network of services only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response

from analyzer.advisors.choosing import BASE_URL, read_key, read_timeout
from analyzer.advisors.endpoint import DEFAULT_URL, MAX_ANSWER_BYTES, UNREACHED
from orchestrator.api.limits import BodyLimit
from orchestrator.api.problems import Problem, install
from orchestrator.api.serving import answer, listening
from orchestrator.logs import log_to
from orchestrator.settings import Secret
from snipbench.errors import UsageError
from snipbench.redaction import Redactor

MAX_BODY_BYTES = 4 * 2**20
CONNECT_SECONDS = 10.0
TOLD = ("content-type", "retry-after")
"""Headers of an answer that are given back."""
PLAIN = ("", "identity")
"""Encodings of an answer in which a key would be seen."""
router = APIRouter()


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where requests go, under which key, and how many seconds one may take."""

    base_url: str
    key: Secret | None
    timeout_seconds: float

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Upstream:
        """As an advisor reads it: ``OPENAI_BASE_URL``, ``OPENAI_API_KEY[_FILE]``, the advisor's time-out.

        Raises:
            UsageError: the address or the key can be none, the key's file cannot be read, or the time-out is no
                number of seconds.
        """
        address = environment.get(BASE_URL) or DEFAULT_URL
        if not address.startswith(("http://", "https://")):
            raise UsageError(f"{BASE_URL} must begin with http:// or https://")
        if "@" in urlsplit(address).netloc:
            raise UsageError(f"{BASE_URL} must have no name and password in it; the key is sent as a bearer token")
        key = read_key(environment)
        if key and not (key.isascii() and key.isprintable()):
            raise UsageError("the key of the endpoint must be one line of ASCII characters")
        return cls(address.rstrip("/"), Secret(key) if key else None, read_timeout(environment))


@router.get("/healthz")
def alive() -> dict[str, str]:
    """Whether it answers; nothing is asked of the endpoint, which may charge for it."""
    return {"status": "ok"}


@router.post("/v1/chat/completions")
async def complete(request: Request) -> Response:
    """Hand the request on, and give back the answer, cut off where an advisor reads no further."""
    upstream: Upstream = request.app.state.upstream
    client: httpx.AsyncClient = request.app.state.client
    headers = {"content-type": "application/json", "accept-encoding": "identity"}
    if upstream.key is not None:
        headers["authorization"] = f"Bearer {upstream.key.value}"
    content = bytearray()
    try:
        async with (
            asyncio.timeout(upstream.timeout_seconds),
            client.stream(
                "POST", f"{upstream.base_url}/chat/completions", content=await request.body(), headers=headers
            ) as reply,
        ):
            if reply.headers.get("content-encoding", "") not in PLAIN:
                raise Problem(502, "endpoint", "the answer is compressed though the request asked for none")
            async for piece in reply.aiter_raw():
                content += piece
                if len(content) > MAX_ANSWER_BYTES:
                    break
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise Problem(502, UNREACHED, f"the endpoint was not reached ({type(error).__name__})") from None
    except TimeoutError:
        raise Problem(504, "endpoint", "the endpoint did not answer in time") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # The error itself may repeat the address, and a password in it.
        raise Problem(502, "endpoint", f"the endpoint broke off ({type(error).__name__})") from None
    told = {name: reply.headers[name] for name in TOLD if name in reply.headers}
    return Response(_without(upstream.key, bytes(content))[: MAX_ANSWER_BYTES + 1], reply.status_code, told)


def create_app(upstream: Upstream) -> FastAPI:
    """The gateway to that endpoint."""

    @asynccontextmanager
    async def client(app: FastAPI) -> AsyncIterator[None]:
        waiting = httpx.Timeout(None, connect=CONNECT_SECONDS)
        async with httpx.AsyncClient(timeout=waiting, trust_env=False) as app.state.client:
            yield

    app = FastAPI(title="snipbench advisor gateway", lifespan=client, openapi_url=None)
    app.state.upstream = upstream
    install(app)
    app.include_router(router)
    app.add_middleware(BodyLimit, limit=MAX_BODY_BYTES)
    return app


def serve(environment: Mapping[str, str], host: str, port: int) -> None:
    """Serve until SIGTERM.

    Raises:
        UsageError: as :meth:`Upstream.read`.
        MachineError: the address is taken.
    """
    upstream = Upstream.read(environment)
    log_to(secrets=[upstream.key.value] if upstream.key else ())
    with listening(host, port) as listener:
        answer(create_app(upstream), listener)


def _without(key: Secret | None, content: bytes) -> bytes:
    """An endpoint that refuses a key may repeat it."""
    if key is None or key.value.encode() not in content:
        return content
    return Redactor([key.value]).values(content.decode("utf-8", "replace")).encode()
