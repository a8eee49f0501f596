"""Settings of the services: environment variables, and secrets from files that they name."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from snipbench.errors import UsageError

PREFIX = "SNIPBENCH_"
SECRET_NAMES = ("STORE", "BROKER", "GITLAB_TOKEN", "CALLBACK_SECRET", "INITIALIZER_TOKEN")
"""Variables that hold a secret, or an address with a password in it; with ``_FILE`` they name a file."""
_REDIS = re.compile(r"rediss?://[^/?#]+(/\d*)?(\?.*)?")
MAX_BODY_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that no text shows: not its own, not an error's."""

    value: str = field(repr=False)

    def __str__(self) -> str:
        return "<secret>"


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """What the services are told from outside. Hosts are ``name`` or ``name:port``.

    ``source_hosts`` are those that a link in a request may lead to, ``callback_hosts`` those that may be called back:
    nobody who may submit an order can make this machine talk to any other. ``databases_network`` is the network
    of containers in which an initializer's databases are reached; None: over loopback ports. ``ready_file`` is made by
    a worker that has reached its broker.
    """

    home: Path
    store: str = field(repr=False)
    broker: str | None = field(default=None, repr=False)
    databases: Literal["embedded", "docker", "initializer"] = "embedded"
    initializer_url: str | None = None
    initializer_token: Secret | None = None
    databases_network: str | None = None
    tokens_file: Path | None = None
    gitlab_url: str | None = None
    gitlab_token: Secret | None = None
    source_hosts: frozenset[str] = frozenset()
    callback_hosts: frozenset[str] = frozenset()
    callback_secret: Secret | None = None
    max_body_bytes: int = MAX_BODY_BYTES
    ready_file: Path | None = None

    def secrets(self) -> tuple[str, ...]:
        """Every secret value that is known here, to be kept out of all texts."""
        known = (self.gitlab_token, self.callback_secret, self.initializer_token)
        addresses = (_password(address) for address in (self.store, self.broker or ""))
        return tuple(filter(None, (*(secret.value for secret in known if secret), *addresses)))


def read_settings(environment: Mapping[str, str], home: Path) -> ServiceSettings:
    """Settings from variables: ``SNIPBENCH_STORE``, ``…BROKER``, ``…DATABASES``,
    ``…INITIALIZER_URL``, ``…INITIALIZER_TOKEN[_FILE]``, ``…DATABASES_NETWORK``, ``…API_TOKENS_FILE``, ``…GITLAB_URL``,
    ``…GITLAB_TOKEN[_FILE]``, ``…SOURCE_HOSTS``, ``…CALLBACK_HOSTS``, ``…CALLBACK_SECRET[_FILE]``, ``…MAX_BODY_BYTES``,
    ``…READY_FILE``.

    Raises:
        UsageError: a value is none, or a file cannot be read.
    """

    def given(name: str) -> str | None:
        return environment.get(PREFIX + name) or None

    tokens, ready = given("API_TOKENS_FILE"), given("READY_FILE")
    databases = given("DATABASES") or "embedded"
    known: dict[str, Literal["embedded", "docker", "initializer"]] = {
        "embedded": "embedded",
        "docker": "docker",
        "initializer": "initializer",
    }
    if databases not in known:
        raise UsageError(f"{PREFIX}DATABASES must be embedded, docker or initializer, not {databases!r}")
    limit = given("MAX_BODY_BYTES") or str(MAX_BODY_BYTES)
    if not limit.isdigit() or int(limit) < 1024:
        raise UsageError(f"{PREFIX}MAX_BODY_BYTES must be a number of bytes from 1024 up, not {limit!r}")
    return ServiceSettings(
        home=home.resolve(),
        store=_address(environment, "STORE") or str(home.resolve() / "store.sqlite"),
        broker=_address(environment, "BROKER"),
        databases=known[databases],
        initializer_url=given("INITIALIZER_URL"),
        initializer_token=_secret(environment, "INITIALIZER_TOKEN"),
        databases_network=given("DATABASES_NETWORK"),
        tokens_file=Path(tokens) if tokens else None,
        gitlab_url=given("GITLAB_URL"),
        gitlab_token=_secret(environment, "GITLAB_TOKEN", may_be_empty=True),
        source_hosts=_hosts(given("SOURCE_HOSTS")),
        callback_hosts=_hosts(given("CALLBACK_HOSTS")),
        callback_secret=_secret(environment, "CALLBACK_SECRET"),
        max_body_bytes=int(limit),
        ready_file=Path(ready) if ready else None,
    )


def forget_secrets(environment: MutableMapping[str, str]) -> None:
    """Take out of this process's environment what its children, which run snippets, must not inherit."""
    for name in (*SECRET_NAMES, *(f"{name}_FILE" for name in SECRET_NAMES), "API_TOKENS_FILE", "TOKEN", "TOKEN_FILE"):
        environment.pop(PREFIX + name, None)


def read_secret_file(path: Path) -> str:
    """The first line of a file that holds a secret.

    Raises:
        UsageError: it cannot be read, or is empty.
    """
    text = _first_line(path)
    if not text:
        raise UsageError(f"secret file {str(path)!r} is empty")
    return text


def _first_line(path: Path) -> str:
    try:
        return path.read_text("utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"secret file {str(path)!r} cannot be read: {reason}") from error


def _secret(environment: Mapping[str, str], name: str, *, may_be_empty: bool = False) -> Secret | None:
    """The secret of a variable or of the file it names; an empty file is none where it may be, else wrong."""
    value, file = environment.get(PREFIX + name), environment.get(f"{PREFIX}{name}_FILE")
    if not value and file:
        value = _first_line(Path(file)) if may_be_empty else read_secret_file(Path(file))
    return Secret(value) if value else None


def _address(environment: Mapping[str, str], name: str) -> str | None:
    """Addresses may hold a password, so they may stand in a file as well, and no message shows one.

    What is looked at here is what libraries complain of by repeating it, a piece of the password perhaps.
    """
    secret = _secret(environment, name)
    if secret is None:
        return None
    if "://" in secret.value:
        hosts = urlsplit(secret.value).netloc.rpartition("@")[2].split(",")
        try:
            [urlsplit(f"//{host}").port for host in hosts]
        except ValueError:
            raise UsageError(
                f"{PREFIX}{name}: no host and port where they should be; in a user or password / ? # @ : % are written "
                "as %2F %3F %23 %40 %3A %25"
            ) from None
    if name == "BROKER" and not _REDIS.fullmatch(secret.value):
        raise UsageError(f"{PREFIX}BROKER must be of the form redis://[:PASSWORD@]HOST[:PORT][/NUMBER]")
    return secret.value


def _hosts(text: str | None) -> frozenset[str]:
    return frozenset(host.strip().lower() for host in (text or "").split(",") if host.strip())


def _password(address: str) -> str | None:
    if "://" not in address:
        return None
    password = urlsplit(address).password
    return unquote(password) if password else None
