"""The API served by uvicorn on the loopback; only the work behind it is left undone."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import uvicorn

from orchestrator.api.app import create_app
from orchestrator.api.service import Service
from orchestrator.api.tokens import Scope, Tokens, new_token
from orchestrator.dispatch.port import Work
from orchestrator.settings import Secret, ServiceSettings
from snipbench.clock import SystemClock
from snipbench.store.sqlite import SqliteStore

ORDER = """\
name: add-one
databases:
  shop: {dataset: {generator: tpch, scale: 0.01}}
experiments:
  - name: sums
    database: shop
    tables: [lineitem]
    repetitions: 3
    snippets:
      - {name: total, kind: sql, code: select sum(l_quantity) as total from lineitem}
      - {name: frame, kind: dataframe, variant_of: total, file: snippets/frame.py}
"""
FILES = {
    "snippets/frame.py": "def run(spark):\n    return spark.sql('select sum(l_quantity) as total from lineitem')\n"
}


@dataclass
class Bells:
    """A dispatch that only notes what was rung for."""

    rung: list[tuple[Work, str]] = field(default_factory=list)

    def ring(self, work: Work, subject: str) -> None:
        self.rung.append((work, subject))

    def ready(self) -> None:
        """Always."""

    def close(self) -> None:
        """Nothing."""


@dataclass
class Served:
    """A running API."""

    url: str
    service: Service
    bells: Bells
    tokens: dict[str, str]

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.tokens[token]}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=120, trust_env=False)


@contextmanager
def serving(settings: ServiceSettings, *, with_tokens: bool = False, port: int = 0) -> Iterator[Served]:
    """Serve on a port of the loopback, a free one by default, until left."""
    secrets: dict[str, str] = {}
    tokens = None
    if with_tokens:
        entries = []
        for name, scopes in (("all", set(Scope)), ("reader", {Scope.READ}), ("submitter", {Scope.SUBMIT})):
            secrets[name], entry = new_token(name, frozenset(scopes))
            entries.append(entry)
        file = settings.home / "tokens.json"
        settings.home.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"tokens": entries}))
        tokens = Tokens.read(file)
    store = SqliteStore(settings.store)
    bells = Bells()
    service = Service(settings, store, SystemClock(), bells, tokens)
    listener = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(uvicorn.Config(create_app(service), log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", service, bells, secrets)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
        store.close()


def settings_for(home: Path, **changes: object) -> ServiceSettings:
    fields: dict[str, object] = {"home": home, "store": str(home / "store.sqlite"), "max_body_bytes": 2**20, **changes}
    return ServiceSettings(**fields)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An API without tokens."""
    settings = settings_for(
        tmp_path_factory.mktemp("api"), callback_hosts=frozenset({"127.0.0.1:9"}), callback_secret=Secret("s" * 32)
    )
    with serving(settings) as found:
        yield found


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An API with tokens."""
    with serving(settings_for(tmp_path_factory.mktemp("guarded")), with_tokens=True) as found:
        yield found


@pytest.fixture
def submit(served: Served) -> Iterator[Callable[..., httpx.Response]]:
    """Submit the order above."""
    with served.client() as client:

        def send(headers: dict[str, str] | None = None, **changes: object) -> httpx.Response:
            return client.post("/orders", json={"order": ORDER, "files": FILES, **changes}, headers=headers or {})

        yield send
