"""Hiding secrets in texts before they are kept: by known value, by name, by shape."""

from __future__ import annotations

import contextlib
import os
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Mapping
    from typing import Any

HIDDEN = "<redacted>"
SECRETS_VARIABLE = "SNIPBENCH_PROFILE_SECRETS"
"""Environment variable: path of a file with a JSON list of secret values, for processes no host can configure."""

_WORDS = (
    "passw|passphrase|passcode|pwd|secret|token|credential|authori[sz]ation|bearer|cookie|signature"
    r"|(?:api|access|private|secret|session|account)[_\- ]?key|\bauth\b|\bdsn\b|\bjwt\b|\bcreds?\b|\bpem\b"
)


class SecretsUnreadable(Exception):
    """The file of secret values could not be read: no text may be kept."""


class _Secrets:
    """The profiler's known secret values, in each form in which a text may hold them, longest first."""

    def __init__(self) -> None:
        self._forms: tuple[str, ...] | None = None

    def set_values(self, values: Iterable[str]) -> None:
        """Secret values to hide from now on; empty ones are ignored."""
        self._forms = _forms_of(values)

    def forms(self) -> tuple[str, ...]:
        """What to look for.

        Raises:
            SecretsUnreadable: the values are in a file that cannot be read.
        """
        if self._forms is None:
            path = os.environ.get(SECRETS_VARIABLE)
            if not path:
                return ()
            import json
            from pathlib import Path

            try:
                self.set_values([str(value) for value in json.loads(Path(path).read_text(encoding="utf-8"))])
            except (OSError, ValueError, TypeError) as error:
                raise SecretsUnreadable(f"{SECRETS_VARIABLE}: {error}") from error
        return self._forms or ()

    def load(self) -> None:
        """Read the file of values now, if there is one; one that cannot be read is reported when a text is made."""
        with contextlib.suppress(SecretsUnreadable):
            self.forms()


def _forms_of(values: Iterable[str]) -> tuple[str, ...]:
    """Each value as it is, and as Python and JSON would write it inside either kind of quotes; longest first."""
    import json

    forms: set[str] = set()
    for value in values:
        if value:
            escaped = repr(value)[1:-1].replace("\\'", "'")
            forms |= {value, escaped, escaped.replace("'", "\\'"), escaped.replace('"', '\\"'), json.dumps(value)[1:-1]}
    return tuple(sorted(forms, key=len, reverse=True))


_secrets = _Secrets()
load = _secrets.load
set_values = _secrets.set_values


def longest_value() -> int:
    """Characters of the longest known secret value; 0 when none is known."""
    return max(map(len, _secrets.forms()), default=0)


def hide_values(text: str) -> str:
    """``text`` with every known secret value replaced.

    Raises:
        SecretsUnreadable: the values are in a file that cannot be read.
    """
    for value in _secrets.forms():
        if value in text:
            text = text.replace(value, HIDDEN)
    return text


def hide_values_cut(text: str, length: int) -> str:
    """The first ``length`` characters of ``text``, secret values replaced, and no part of one left where the cut is."""
    head = hide_values(text[:length])
    for value in _secrets.forms():
        for size in range(min(len(value) - 1, len(head)), 0, -1):
            if head.endswith(value[:size]):
                head = head[:-size]
                break
    return head


def hide_shapes(text: str) -> str:
    """``text`` without values of secret-like names (``name=value``), bearer tokens, passwords in URLs, private keys and
    tokens that are known by their beginning."""
    pairs, bearer, address = _patterns()
    if "-----BEGIN " in text:
        text = _private_key().sub(HIDDEN, text)
    text = _issued().sub(HIDDEN, text)
    if "://" in text:
        text = address.sub(HIDDEN + "@", text)
    if " " in text:
        text = bearer.sub(r"\1 " + HIDDEN, text)
    if "=" in text or ":" in text:
        text = pairs.sub(lambda match: match.group(1) + HIDDEN, text)
    return text


class Redactor:
    """Takes secrets out of what is sent or kept: the values it knows, and what the shapes above give away.

    Other than :func:`hide_values` it has values of its own, not the profiler's.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._forms = _forms_of(values)

    def values(self, text: str) -> str:
        """``text`` without the known values."""
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        return text

    def text(self, text: str) -> str:
        """``text`` without known values and without anything that is called like a secret."""
        return hide_shapes(self.values(text))

    def code(self, text: str) -> str:
        """Source code without known values, and without the literals that stand behind secret-like names.

        Other than :meth:`text` it leaves ``tokens = line.split()`` alone, so that what is no secret still runs.
        """
        pairs, bearer, address = _code_patterns()
        text = self.values(text)
        text = address.sub(HIDDEN + "@", text)
        text = bearer.sub(r"\1 " + HIDDEN, text)
        text = _issued().sub(HIDDEN, _private_key().sub(HIDDEN, text))
        return pairs.sub(lambda match: f"{match.group(1)}{match.group(2)}{HIDDEN}{match.group(2)}", text)

    def document(self, value: Any) -> Any:
        """A JSON value with every text in it as :meth:`code` leaves it; texts under secret-like keys go as a whole."""
        if isinstance(value, str):
            return self.code(value)
        if isinstance(value, dict):
            return {
                self.values(str(key)): HIDDEN
                if isinstance(item, str) and is_secret_name(str(key))
                else self.document(item)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.document(item) for item in value]
        return value


def secret_values(environment: Mapping[str, str], *, shortest: int = 6) -> tuple[str, ...]:
    """Values of the environment's variables with secret-like names; those below ``shortest`` characters are left
    out, since hiding them would garble every text without hiding anything. ``PWD`` is a folder."""
    return tuple(
        value
        for name, value in environment.items()
        if len(value) >= shortest and is_secret_name(name) and name not in {"PWD", "OLDPWD"}
    )


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a parameter, key or field of this name is taken to hold a secret."""
    import re

    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[:200])
    return _name_pattern().search(snake.lower().replace("_", " ").replace("-", " ")) is not None


@lru_cache(maxsize=1)
def _name_pattern() -> re.Pattern[str]:
    import re

    return re.compile(_WORDS)


@lru_cache(maxsize=1)
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    import re

    value = r"""b?'(?:[^'\\]|\\.)*'?|b?"(?:[^"\\]|\\.)*"?|[^\s,;&)}\]'"]+"""
    pairs = re.compile(rf"""(?i)((?:{_WORDS})[\w\-]{{0,40}}['"]?\s{{0,3}}[=:]\s{{0,3}})(?!<redacted>)(?:{value})""")
    bearer = re.compile(r"(?i)\b(bearer|basic)\s+(?!<redacted>)[\w\-.~+/=]{8,}")
    address = re.compile(r"(?<=://)[^\s/@'\"]{1,200}@")
    return pairs, bearer, address


@lru_cache(maxsize=1)
def _private_key() -> re.Pattern[str]:
    import re

    return re.compile(r"(?s)-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,20}PRIVATE KEY-----|$)")


@lru_cache(maxsize=1)
def _issued() -> re.Pattern[str]:
    """Tokens as their issuers write them: web tokens, keys of OpenAI, GitHub, GitLab, AWS, Google, Slack, others."""
    import re

    return re.compile(
        r"\b(?:eyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?|sk-[\w-]{16,}|gh[opsur]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
        r"|A[KS]IA[0-9A-Z]{16}|AIza[\w-]{30,}|xox[abeoprs]-[\w-]{10,}|hf_\w{20,})"
    )


@lru_cache(maxsize=1)
def _code_patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    import re

    _, bearer, address = _patterns()
    annotation = r"(?:\s{0,3}:[\s\w.\[\]|]{1,60}?)?"
    literal = r"""[rbfuRBFU]{0,2}(\"\"\"|\'\'\'|"|')(?!<redacted>)(?:\\.|(?!\2).)+\2"""
    assigned = rf"""['"]?\]?{annotation}\s{{0,3}}(?:[=:]|,(?=\s*["']))\s{{0,3}}\(?\s{{0,3}}"""
    pairs = re.compile(rf"""(?is)((?:{_WORDS})[\w\-.]{{0,40}}{assigned}){literal}""")
    return pairs, bearer, address
