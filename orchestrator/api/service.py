"""What every route works with, and who may call it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from orchestrator.api.problems import Problem
from orchestrator.api.tokens import ANYBODY, Caller, Scope, Tokens
from orchestrator.dispatch.port import Dispatch, Work
from orchestrator.leading.parts import Home
from orchestrator.settings import ServiceSettings
from snipbench.clock import Clock
from snipbench.errors import DispatchAway
from snipbench.store.port import Document, DocumentStore

_bearer = HTTPBearer(auto_error=False, description="Needed unless the API listens on the loopback without tokens.")
_REALM = 'Bearer realm="snipbench"'


@dataclass(frozen=True, slots=True)
class Service:
    """The API's parts. ``tokens`` is ``None`` where anybody on this machine may call it."""

    settings: ServiceSettings
    store: DocumentStore
    clock: Clock
    dispatch: Dispatch
    tokens: Tokens | None

    @property
    def home(self) -> Home:
        """Folders of lake and reports."""
        return Home(self.settings.home)

    def ring(self, work: Work, subject: str) -> None:
        """Say that there is work. It stands in the store, and is told again where nobody can be told now."""
        with suppress(DispatchAway):
            self.dispatch.ring(work, subject)

    def task(self, task_id: str) -> Document:
        """A task's document.

        Raises:
            Problem: 404, there is none.
        """
        return self._one("tasks", task_id, "task")

    def order(self, order_id: str) -> Document:
        """An order's document.

        Raises:
            Problem: 404, there is none.
        """
        return self._one("orders", order_id, "order")

    def _one(self, collection: str, name: str, word: str) -> Document:
        document = self.store.get(collection, name) if is_unicode(name) else None
        if document is None:
            raise Problem(404, "missing", f"there is no {word} {name!r}")
        return document


def is_unicode(text: str) -> bool:
    """Whether a text is whole: JSON may bring half a character, which is in no store and in no answer."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def service_of(request: Request) -> Service:
    """The service behind a request."""
    service: Service = request.app.state.service
    return service


The = Annotated[Service, Depends(service_of)]


def known(tokens: Tokens, credentials: str | None) -> Caller:
    """Who has sent a token.

    Raises:
        Problem: 401, there was none, or it is not known.
    """
    challenge = {"WWW-Authenticate": _REALM}
    if credentials is None:
        raise Problem(401, "token", "send a token: Authorization: Bearer …", headers=challenge)
    caller = tokens.caller(credentials)
    if caller is None:
        challenge["WWW-Authenticate"] += ', error="invalid_token"'
        raise Problem(401, "token", "the token is not known", headers=challenge)
    return caller


def allowed(scope: Scope) -> Callable[..., Caller]:
    """A dependency: the caller, who must have ``scope`` and is named in the request's log line."""

    def check(
        request: Request,
        service: The,
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None,
    ) -> Caller:
        request.state.about = {}
        if service.tokens is None:
            return ANYBODY
        caller = known(service.tokens, None if given is None else given.credentials)
        request.state.about["caller"] = caller.name
        if scope not in caller.scopes:
            challenge = f'{_REALM}, error="insufficient_scope", scope="{scope.value}"'
            detail = f"token {caller.name!r} lacks the scope {scope.value!r}"
            raise Problem(403, "scope", detail, headers={"WWW-Authenticate": challenge})
        return caller

    return check


Reader = Annotated[Caller, Depends(allowed(Scope.READ))]
Submitter = Annotated[Caller, Depends(allowed(Scope.SUBMIT))]
Controller = Annotated[Caller, Depends(allowed(Scope.CONTROL))]
