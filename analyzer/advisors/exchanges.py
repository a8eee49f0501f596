"""The record of what was said to an endpoint and what it answered, as documents without secrets."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

from analyzer.advisors.port import Brief
from snipbench.clock import Clock, to_text
from snipbench.redaction import Redactor
from snipbench.store.port import DocumentStore

COLLECTION = "advisor_exchanges"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request with what came of it. ``tokens`` is what was counted for it, ``estimated`` if nobody reported it."""

    request: dict[str, Any]
    response: str
    outcome: str
    seconds: float
    tokens: int
    estimated: bool
    fallback: str | None = None


class ExchangeLog:
    """Keeps exchanges in the document store. Without a store they are kept nowhere.

    A document has ``task_id, analysis, experiment, snippet, at, address, model, request`` (JSON text), ``response``
    (text), ``outcome`` (``answer`` or the kind of failure), ``seconds, tokens, estimated, fallback``.
    """

    def __init__(
        self, store: DocumentStore | None, clock: Clock, redactor: Redactor, analysis: str | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._redactor = redactor
        self._analysis = analysis

    def keep(self, brief: Brief, exchange: Exchange, *, address: str, model: str) -> None:
        """Record one exchange.

        Raises:
            StoreError: the store is away.
        """
        if self._store is None:
            return
        at = to_text(self._clock.now())
        document = {
            "_id": f"{brief.task_id}:{brief.name}:{at}:{secrets.token_hex(3)}",
            "task_id": brief.task_id,
            "analysis": self._analysis,
            "experiment": brief.experiment,
            "snippet": brief.snippet,
            "at": at,
            "address": address,
            "model": model,
            "request": json.dumps(self._redactor.document(exchange.request), ensure_ascii=False, sort_keys=True),
            "response": _storable(self._response(exchange.response)),
            "outcome": exchange.outcome,
            "seconds": exchange.seconds,
            "tokens": exchange.tokens,
            "estimated": exchange.estimated,
            "fallback": exchange.fallback,
        }
        self._store.replace(COLLECTION, document, expected_version=None)

    def _response(self, text: str) -> str:
        try:
            parsed = json.loads(text)
            return json.dumps(self._redactor.document(parsed), ensure_ascii=False)
        except (ValueError, RecursionError):
            return self._redactor.text(text)


def spent_tokens(store: DocumentStore, task_id: str, analysis: str) -> int:
    """Tokens that an analysis has cost so far."""
    return sum(found["tokens"] for found in store.find(COLLECTION, {"task_id": task_id, "analysis": analysis}))


def release(store: DocumentStore, task_id: str, analysis: str) -> None:
    """Keep what was said for an analysis that is made anew, but do not count it for that any more."""
    for found in store.find(COLLECTION, {"task_id": task_id, "analysis": analysis}):
        store.replace(COLLECTION, found | {"analysis": None}, expected_version=found["version"])


def _storable(text: str) -> str:
    """Without what a store's UTF-8 cannot hold: an answer's JSON may name lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")
