"""Reference databases of the initializer: asked for by id over HTTP, wherever it keeps and serves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from orchestrator.databases.documents import database_from_document, prototype_from_document
from orchestrator.databases.generators import generator_for
from orchestrator.databases.port import Prototype, ReferenceDatabase
from orchestrator.databases.prototypes import dataset_hash
from snipbench import errors
from snipbench.clock import Clock, SystemClock
from snipbench.domain.order import Database
from snipbench.errors import DatabaseError, SnipbenchError, UsageError
from snipbench.identity import new_id
from snipbench.resources.cgroup_path import group_of_container

ASK_SECONDS = 10.0
"""How long one question after a request waits there; shorter than any time-out of a connection."""
ANSWER_SECONDS = 120.0
"""How long one answer may take; ending a server is waited for."""
PATIENCE_SECONDS = 120.0
"""How long the initializer may be away before a database counts as not to be had."""
PAUSE_SECONDS = 0.5


class RemoteProvider:
    """Implements :class:`orchestrator.databases.port.DatabaseProvider`. Safe to use from several threads.

    The initializer looks the order up by the task's id, so ``owner`` has to be one of a submitted order, and a database
    is that of the order whatever else is said about it here. It releases by itself what nobody answers for.

    Args:
        url: the initializer's address.
        token: its bearer token.
        clock: measures patience.
        patience_seconds: for how long an initializer that is away is asked again.
    """

    def __init__(
        self, url: str, token: str, clock: Clock | None = None, *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._clock = clock or SystemClock()
        self._patience = patience_seconds
        headers = {"Authorization": f"Bearer {token}"}
        self._client = httpx.Client(base_url=url, timeout=ANSWER_SECONDS, headers=headers, trust_env=False)

    def dataset_hash(self, database: Database, base: Path) -> str:
        return dataset_hash(generator_for(database.dataset, base))

    def prepare(self, database: Database, base: Path, *, owner: str | None = None) -> Prototype:
        if owner is None:
            raise UsageError("the initializer prepares databases of submitted orders only")
        return prototype_from_document(self._done("/prototypes", {"task_id": owner, "database": database.name}))

    def clone(
        self, prototype: Prototype, database: Database, *, owner: str, tables: Sequence[str] | None = None
    ) -> ReferenceDatabase:
        wanted = {"task_id": owner, "database": database.name, "tables": None if tables is None else list(tables)}
        return _seen_from_here(database_from_document(self._done("/clones", wanted)))

    def find(self, clone_id: str) -> ReferenceDatabase:
        return _seen_from_here(database_from_document(self._answer("GET", f"/clones/{_named(clone_id)}").json()))

    def clones(self) -> Mapping[str, str]:
        found: dict[str, str] = self._answer("GET", "/clones").json()
        return found

    def release(self, clone_id: str) -> None:
        self._answer("DELETE", f"/clones/{_named(clone_id)}")

    def reap(self) -> Sequence[str]:
        """Nothing: the initializer looks after what is orphaned, by the leases of tasks."""
        return ()

    def prototypes(self) -> Sequence[Prototype]:
        return [prototype_from_document(document) for document in self._answer("GET", "/prototypes").json()]

    def verify(self, prototype: Prototype) -> Sequence[str]:
        done = self._done(f"/prototypes/{_named(prototype.prototype_key)}/verification", {})
        return [str(line) for line in done["differences"]]

    def remove(self, prototype: Prototype) -> None:
        self._answer("DELETE", f"/prototypes/{_named(prototype.prototype_key)}")

    def _done(self, path: str, wanted: dict[str, Any]) -> dict[str, Any]:
        """What a request gave, however long it takes. One that the initializer forgot by dying is begun anew."""
        request_id = new_id("request", self._clock.now())
        while True:
            self._answer("POST", path, {**wanted, "request_id": request_id})
            while (told := self._outcome(request_id)) is not None:
                if told["state"] == "done":
                    document: dict[str, Any] = told["document"]
                    return document
                if told["state"] == "failed":
                    raise _error(told["kind"], told["message"])

    def _outcome(self, request_id: str) -> dict[str, Any] | None:
        path = f"/requests/{request_id}?seconds={ASK_SECONDS:g}"
        answer = self._answer("GET", path, missing_is_no_error=True)
        told: dict[str, Any] = answer.json()
        return None if answer.status_code == httpx.codes.NOT_FOUND else told

    def _answer(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, missing_is_no_error: bool = False
    ) -> httpx.Response:
        """The initializer's answer; asked again while it is away. Everything asked may be asked twice.

        Raises:
            DatabaseError: it refused, or was away for too long.
        """
        began = self._clock.monotonic()
        while True:
            try:
                answer = self._client.request(method, path, json=body)
            except httpx.TransportError as error:
                away = type(error).__name__
            else:
                if answer.is_success or (missing_is_no_error and answer.status_code == httpx.codes.NOT_FOUND):
                    return answer
                away = f"answer {answer.status_code}"
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    raise DatabaseError(_detail(answer))
            if self._clock.monotonic() - began > self._patience:
                raise DatabaseError(f"the initializer is not to be reached ({away}): is it running?")
            self._clock.sleep(PAUSE_SECONDS)


def _seen_from_here(database: ReferenceDatabase) -> ReferenceDatabase:
    """With the container's control group, where this machine's are to be seen from here."""
    target = database.target
    if target.container_id is None or target.cgroup is not None:
        return database
    return replace(database, target=replace(target, cgroup=group_of_container(target.container_id)))


def _named(name: str) -> str:
    """An id as part of a path. DatabaseError for what cannot be one."""
    if not name or not name.replace("-", "").replace("_", "").replace(".", "").isalnum() or not name.isascii():
        raise DatabaseError(f"there is no clone {name!r}")
    return name


def _error(kind: str, message: str) -> SnipbenchError:
    """An error as it was raised there, where it is one of ours that takes a message alone."""
    ours = (errors.UsageError, errors.DatasetError, errors.MachineError, errors.StoreAway)
    known: dict[str, type[SnipbenchError]] = {each.__name__: each for each in ours}
    return known.get(kind, DatabaseError)(message)


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"the initializer answered {answer.status_code}"
