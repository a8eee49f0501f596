"""Bearer tokens: a file holds their hashes and scopes; the tokens themselves are nowhere.

::

    {"tokens": [{"name": "ci", "sha256": "9f86d0…", "scopes": ["read", "submit"]}]}

A token is 256 random bits, so a plain hash is enough: there is nothing to guess from.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from snipbench.errors import UsageError

PREFIX = "snip_"


class Scope(StrEnum):
    """What a token allows."""

    READ = "read"
    """Orders, tasks, events, results, reports, metrics."""
    SUBMIT = "submit"
    """Submit orders and ask for analyses."""
    CONTROL = "control"
    """Cancel and retry tasks."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. ``name`` is the token's."""

    name: str
    scopes: frozenset[Scope]


ANYBODY = Caller("anybody", frozenset(Scope))
"""Who asks an API without tokens, which listens on the loopback only."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The known tokens: hash and caller of each."""

    known: tuple[tuple[str, Caller], ...]

    @classmethod
    def read(cls, path: Path) -> Tokens:
        """Tokens from a file.

        Raises:
            UsageError: the file cannot be read, or is not of the form above, or names no token.
        """
        try:
            entries = json.loads(path.read_text("utf-8"))["tokens"]
            known = tuple(
                (_digest(entry["sha256"]), Caller(entry["name"], frozenset(map(Scope, entry["scopes"]))))
                for entry in entries
            )
        except OSError as error:
            raise UsageError(f"token file {str(path)!r} cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(
                f"token file {str(path)!r} is not of the form "
                '{"tokens": [{"name": …, "sha256": …, "scopes": [read, submit, control]}]}; '
                "`snipbench serve --new-token NAME` makes an entry"
            ) from None
        if not known:
            raise UsageError(f"token file {str(path)!r} holds no token")
        return cls(known)

    def caller(self, token: str) -> Caller | None:
        """Who a token belongs to. All hashes are compared, each in constant time."""
        digest = hashlib.sha256(token.encode("utf-8", errors="replace")).hexdigest()
        found = None
        for known, caller in self.known:
            if hmac.compare_digest(known, digest):
                found = caller
        return found


def new_token(name: str, scopes: frozenset[Scope] = frozenset(Scope)) -> tuple[str, dict[str, object]]:
    """A fresh token and its entry for the file."""
    token = PREFIX + secrets.token_urlsafe(32)
    digest = hashlib.sha256(token.encode()).hexdigest()
    return token, {"name": name, "sha256": digest, "scopes": sorted(scope.value for scope in scopes)}


def _digest(text: str) -> str:
    if len(text) != 64 or set(text) - set("0123456789abcdef"):
        raise ValueError("no SHA-256")
    return text
