"""A client of the HTTP API. Its errors are ours; the token is in none of them."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from orchestrator.settings import read_secret_file
from snipbench.errors import ServiceError, UsageError

TIMEOUT_SECONDS = 30.0
ATTEMPTS = 5
TOKEN_VARIABLE = "SNIPBENCH_TOKEN"
MAX_WAIT_SECONDS = 15.0
FOLLOWING_ATTEMPTS = 9
"""A stream that went well before is tried again for a minute: a service that is restarted is back by then."""


class Client:
    """Speaks to one service.

    Args:
        url: the service's address, ``http://127.0.0.1:8000``.
        token: a bearer token, where the service wants one.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"{url!r} is no address of a service; write http://HOST:PORT")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            self._client = httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS, headers=headers, trust_env=False)
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise UsageError("the service's address or the token is malformed") from error
        self._url = url

    @classmethod
    def of_environment(cls, url: str, environment: Mapping[str, str] = os.environ) -> Client:
        """With the token of ``SNIPBENCH_TOKEN`` or the file of ``SNIPBENCH_TOKEN_FILE``."""
        file = environment.get(f"{TOKEN_VARIABLE}_FILE")
        token = environment.get(TOKEN_VARIABLE) or (read_secret_file(Path(file)) if file else None)
        return cls(url, token)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, path: str, *, tries: int = 1) -> Any:
        """The document at a path.

        Raises:
            ServiceError: the service answered with a problem, or not at all.
        """
        return self._asked("GET", path, tries=tries).json()

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """What the service answers to a document. With a ``key``, trying again makes nothing twice.

        Raises:
            ServiceError: as :meth:`get`.
        """
        headers = {} if key is None else {"Idempotency-Key": key}
        return self._asked("POST", path, headers, body, tries=ATTEMPTS if key else 1).json()

    def submit(self, submission: Mapping[str, Any]) -> Any:
        """Submit an order, once, however often it has to be tried."""
        return self.post("/orders", dict(submission), key=uuid.uuid4().hex)

    def task(self, name: str) -> Any:
        """A task by id, ``latest`` or ``previous``."""
        return self.get(f"/tasks/{self.task_id(name)}")

    def report(self, task_id: str) -> str:
        """A task's report, an HTML page."""
        return self._asked("GET", f"/tasks/{task_id}/report").text

    def task_id(self, name: str) -> str:
        """The id behind ``latest`` and ``previous``; any other name is one."""
        place = {"latest": 0, "previous": 1}.get(name)
        if place is None:
            if not name or set(name) & set("/?#%"):
                raise UsageError(f"{name!r} is no id of a task")
            return name
        tasks = sorted((task for order in self.get("/orders") for task in order["tasks"]), reverse=True)
        if len(tasks) <= place:
            raise UsageError(f"there is no {name} task; `snipbench submit ORDER.yaml` makes one")
        return str(tasks[place])

    def events(self, task_id: str, after: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
        """Type and data of each event of a task, to its end; a stream that breaks is taken up where it broke.

        Raises:
            ServiceError: the service refused, or was away for too long.
        """
        failures, limit = 0, ATTEMPTS
        while True:
            try:
                for number, kind, data in self._stream(task_id, after):
                    failures, limit, after = 0, FOLLOWING_ATTEMPTS, number or after
                    yield kind, data
                    if kind == "end":
                        return
            except (httpx.TransportError, ServiceError) as error:
                told = self._unreached(error) if isinstance(error, httpx.TransportError) else error
                failures += 1
                if failures >= limit or (told is error and not error.retryable):
                    raise told from None
            time.sleep(min(MAX_WAIT_SECONDS, 0.25 * 2**failures))

    def _stream(self, task_id: str, after: int) -> Iterator[tuple[int | None, str, dict[str, Any]]]:
        headers = {"Last-Event-ID": str(after)} if after else {}
        with self._client.stream("GET", f"/tasks/{task_id}/events", headers=headers) as response:
            if not response.is_success:
                response.read()
                raise _problem(response)
            number, kind, data = None, "note", ""
            for line in response.iter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    number = int(value)
                elif name == "event":
                    kind = value
                elif name == "data":
                    data = value
                elif not line and data:
                    yield number, kind, json.loads(data)
                    number, kind, data = None, "note", ""

    def _asked(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: Any = None, *, tries: int = 1
    ) -> httpx.Response:
        error: ServiceError | None = None
        for attempt in range(tries):
            if attempt:
                time.sleep(0.25 * 2**attempt)
            try:
                response = self._client.request(method, path, headers=dict(headers or {}), json=body)
            except httpx.TransportError as failure:
                error = self._unreached(failure)
                continue
            if response.is_success:
                return response
            error = _problem(response)
            if not error.retryable:
                break
        assert error is not None
        raise error from None

    def _unreached(self, error: httpx.TransportError) -> ServiceError:
        reason = str(error) or type(error).__name__
        return ServiceError(f"the service at {self._url} is not to be reached: {reason}; `snipbench serve` starts one")


def _problem(response: httpx.Response) -> ServiceError:
    """A problem document as an error; its mistakes, one per line."""
    try:
        problem = response.json()
        if not isinstance(problem, dict):
            raise ValueError("no problem document")
    except ValueError:
        return ServiceError(f"the service answered {response.status_code}", status=response.status_code)
    lines = [f"{found['at']}: {found['path']}: {found['message']}" for found in problem.get("mistakes") or ()]
    text = "\n".join(lines) or str(problem.get("detail", problem.get("title", "")))
    return ServiceError(text, status=response.status_code, problem=problem)
