"""An order behind HTTP(S); the files that it names are fetched from beside it."""

from __future__ import annotations

import hashlib
from urllib.parse import quote, urlsplit

from orchestrator.intake import Configuration
from orchestrator.orders.sources import check_relative
from orchestrator.settings import ServiceSettings
from orchestrator.sources.transport import Transport, plain_location
from snipbench.clock import Clock
from snipbench.errors import SourceError, UsageError


def fetch_http(
    settings: ServiceSettings,
    url: str,
    *,
    sha256: str | None = None,
    token: str | None = None,
    clock: Clock | None = None,
) -> Configuration:
    """Fetch an order. ``token`` is sent as ``Authorization: Bearer``.

    Raises:
        SourceError: it could not be fetched, or its checksum is another one than ``sha256``.
    """
    header = None if token is None else ("Authorization", f"Bearer {token}")
    transport = Transport(url, settings.source_hosts, token=header, clock=clock)
    parts, shown = urlsplit(url), plain_location(url)
    answer = transport.get(parts.path + (f"?{parts.query}" if parts.query else ""), shown=shown)
    if answer.status == 404:
        raise SourceError("missing", f"{shown}: not there (404)")
    digest = hashlib.sha256(answer.body).hexdigest()
    if sha256 is not None and digest != sha256:
        raise SourceError("changed", f"{shown}: its SHA-256 is {digest}, not {sha256}")
    return Configuration(
        text=answer.text(shown),
        file_name=parts.path.rpartition("/")[2] or "order.yaml",
        sources=HttpSources(transport, url),
        origin={"kind": "http", "location": shown, "sha256": digest},
    )


class HttpSources:
    """Implements the port of an order's files: relative to the order's URL, not above it."""

    def __init__(self, transport: Transport, url: str) -> None:
        parts = urlsplit(url)
        self._transport = transport
        self._folder = parts.path.rpartition("/")[0]
        self._shown = plain_location(url).rpartition("/")[0]

    @property
    def base(self) -> None:
        """None: not a folder of this machine."""
        return

    def read(self, name: str) -> str:
        """See the port."""
        check_relative(name)
        shown = f"{self._shown}/{name}"
        answer = self._transport.get(f"{self._folder}/{quote(name)}", shown=shown)
        if answer.status == 404:
            raise UsageError(f"file {name!r} is not beside the order (404 at {shown})")
        return answer.text(shown)

    def check(self, name: str) -> None:
        """See the port."""
        self.read(name)
