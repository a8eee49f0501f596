"""A real server on the loopback that speaks the OpenAI protocol, well or badly."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[["Handler", dict[str, Any]], None]

GOOD = {
    "potential": "high",
    "suggestions": ["let the JVM add"],
    "code": "select 1.0D as result",
    "kind": "sql",
    "entry": None,
    "estimated_reduction": 0.9,
}


@dataclass
class Server:
    """Gives its behaviours in turn, the last one for ever. ``requests`` is what it was sent, ``keys`` by whom."""

    url: str = ""
    behaviours: list[Behaviour] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def behave(self, *behaviours: Behaviour) -> None:
        self.behaviours = list(behaviours)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.state.requests.append(body)
        self.state.keys.append(self.headers.get("authorization", ""))
        turn = min(len(self.state.requests), len(self.state.behaviours)) - 1
        try:
            self.state.behaviours[turn](self, body)
        except OSError:
            self.close_connection = True  # the client has gone, as it should

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Nothing."""

    def give(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"content-type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def completion(content: str | None, *, tokens: int | None = 100, finish: str = "stop", **message: Any) -> bytes:
    document: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "served-model",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "message": {"role": "assistant", "content": content, **message},
            }
        ],
    }
    if tokens is not None:
        document["usage"] = {"prompt_tokens": tokens - 1, "completion_tokens": 1, "total_tokens": tokens}
    return json.dumps(document).encode()


def answers(content: Any, **options: Any) -> Behaviour:
    """A completion with this text (or this as JSON)."""
    text = content if isinstance(content, str) or content is None else json.dumps(content)
    return lambda handler, _: handler.give(200, completion(text, **options))


def fails(status: int, message: str = "no", **headers: str) -> Behaviour:
    """An error in OpenAI's form."""
    body = json.dumps({"error": {"message": message, "type": "error", "code": None}}).encode()
    return lambda handler, _: handler.give(status, body, **headers)


def hangs(handler: Handler, _: dict[str, Any]) -> None:
    """Says nothing until the test is over."""
    handler.state.stopped.wait(30)


def drips_body(handler: Handler, _: dict[str, Any]) -> None:
    """One byte of a long body at a time, each soon enough for any time-out between two of them."""
    handler.send_response(200)
    handler.send_header("content-length", "100000")
    handler.end_headers()
    while not handler.state.stopped.wait(0.05):
        handler.wfile.write(b" ")


def drips_headers(handler: Handler, _: dict[str, Any]) -> None:
    """Headers without an end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not handler.state.stopped.wait(0.05):
        handler.wfile.write(b"x-more: yes\r\n")


def huge(handler: Handler, _: dict[str, Any]) -> None:
    """An answer of 10 MB."""
    handler.give(200, completion("x" * 10_000_000))


def huge_error(handler: Handler, _: dict[str, Any]) -> None:
    """An error of 10 MB."""
    handler.give(400, b"x" * 10_000_000)


def closes_early(handler: Handler, _: dict[str, Any]) -> None:
    """Half an answer, then the connection ends."""
    body = completion(json.dumps(GOOD))
    handler.send_response(200)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    handler.close_connection = True


def compressed_without_end(handler: Handler, _: dict[str, Any]) -> None:
    """A small body that unfolds to a gigabyte."""
    import gzip

    handler.give(200, gzip.compress(b" " * 20_000_000), content_encoding="gzip")


@contextmanager
def serving() -> Iterator[Server]:
    """The server, on a port of its own."""
    state = Server()
    handler = type("StatefulHandler", (Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield state
    finally:
        state.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
