"""A real server on the loopback that speaks GitLab's API v4 for one project, and plain HTTP for files."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "5f3c9a0b1d2e4f60718293a4b5c6d7e8f9012345"


@dataclass
class GitLab:
    """Its one project, and what was asked. ``sick`` holds answers that come first: status and headers."""

    token: str
    project: str = "data/experiments"
    files: dict[str, str] = field(default_factory=dict)
    refs: set[str] = field(default_factory=lambda: {"main", "HEAD", COMMIT})
    sick: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    url: str = ""

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: GitLab

    def do_GET(self) -> None:
        state = self.state
        state.asked.append(self.path)
        state.tokens.append(self.headers.get("private-token") or self.headers.get("authorization"))
        if state.sick:
            status, headers = state.sick.pop(0)
            self._give(status, b'{"message":"sick"}', **headers)
            return
        parts = urlsplit(self.path)
        if parts.path.startswith("/files/"):
            self._plain(unquote(parts.path.removeprefix("/files/")))
            return
        steps = [unquote(step) for step in parts.path.split("/")[1:]]
        if self.headers.get("private-token") != state.token:
            self._message(401, "401 Unauthorized")
        elif steps[:3] != ["api", "v4", "projects"] or steps[3] == "data/renamed":
            self._give(301, b"", location=f"{state.url}/api/v4/projects/7/repository")
        elif steps[3] != state.project:
            self._message(404, "404 Project Not Found")
        else:
            self._repository(steps[5:], {name: values[0] for name, values in parse_qs(parts.query).items()})

    def _repository(self, steps: list[str], query: dict[str, str]) -> None:
        state = self.state
        if steps[0] == "commits":
            if steps[1] in state.refs:
                self._json({"id": COMMIT})
            else:
                self._message(404, "404 Commit Not Found")
        elif steps[0] == "files":
            if steps[1] in state.files and query["ref"] == COMMIT:
                self._give(200, state.files[steps[1]].encode())
            else:
                self._message(404, "404 File Not Found")
        else:
            names = sorted(state.files)
            page = int(query["page"])
            found = [{"path": name, "name": name.rpartition("/")[2], "type": "blob"} for name in names[page - 1 : page]]
            after = {"x-next-page": str(page + 1) if page < len(names) else ""}
            self._give(200, json.dumps(found).encode(), **after)

    def _plain(self, name: str) -> None:
        if name in self.state.files:
            self._give(200, self.state.files[name].encode())
        else:
            self._message(404, "not here")

    def _json(self, value: object) -> None:
        self._give(200, json.dumps(value).encode())

    def _message(self, status: int, text: str) -> None:
        self._give(status, json.dumps({"message": text}).encode())

    def _give(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Nothing."""


@contextmanager
def gitlab_server(token: str) -> Iterator[GitLab]:
    """Serve until left."""
    state = GitLab(token)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"state": state}))
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
