"""Idempotency of submissions: the same key gives the same order, whatever died between two attempts."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

from orchestrator.api.problems import Problem
from orchestrator.intake import Receipt
from snipbench.clock import Clock, to_text
from snipbench.store.port import DocumentStore

COLLECTION = "submissions"


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is known of an earlier request with the key; ``receipt`` is ``None`` while it was not finished."""

    receipt: Receipt | None


class Idempotency:
    """One request's key, which counts per caller. Without a key every request is new.

    The ids of order and task are reserved under the key before anything is stored under them: a request that died half
    way is finished by the next one with the same ids.
    """

    def __init__(self, store: DocumentStore, clock: Clock, caller: str, key: str | None, digest: str) -> None:
        self._store = store
        self._clock = clock
        self._digest = digest
        self._id = None if key is None else hashlib.sha256(f"{caller}\0{key}".encode()).hexdigest()

    def earlier(self) -> Accepted | None:
        """The earlier request with this key.

        Raises:
            Problem: 422, it was another request.
        """
        document = None if self._id is None else self._store.get(COLLECTION, self._id)
        if document is None:
            return None
        if document["digest"] != self._digest:
            raise Problem(422, "idempotency-key", "the Idempotency-Key was used for another request")
        found = document.get("receipt")
        if found is None:
            return Accepted(None)
        lists = {name: tuple(found[name]) for name in ("experiment_ids", "warnings")}
        return Accepted(Receipt(**{**found, **lists}))

    def reserve(self, ids: tuple[str, str]) -> tuple[str, str]:
        """The ids to use: the ones that are reserved already, or else ``ids``."""
        if self._id is None:
            return ids
        document = {"_id": self._id, "digest": self._digest, "ids": list(ids), "at": to_text(self._clock.now())}
        if self._store.replace(COLLECTION, {**document, "receipt": None}, expected_version=None):
            return ids
        self.earlier()
        found = self._store.get(COLLECTION, self._id)
        assert found is not None
        order_id, task_id = found["ids"]
        return order_id, task_id

    def accept(self, accepted: Accepted) -> None:
        """Keep the answer."""
        document = None if self._id is None else self._store.get(COLLECTION, self._id)
        if document is not None and accepted.receipt is not None and document["receipt"] is None:
            kept = {**document, "receipt": asdict(accepted.receipt)}
            self._store.replace(COLLECTION, kept, expected_version=document["version"])
