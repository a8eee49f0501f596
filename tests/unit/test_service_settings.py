"""What services are told from outside: addresses and secrets that are malformed are refused and not repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.settings import read_settings
from snipbench.errors import UsageError


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("STORE", "mongodb://user:cana/ry@host:27017/db"),
        ("STORE", "mongodb://user:cana?ry@host/db"),
        ("STORE", "mongodb://user:cana#ry@host/db"),
        ("STORE", "mongodb://user:canary@one:27017,two:x/db"),
        ("BROKER", "redis://:cana/ry@127.0.0.1:6379/0"),
        ("BROKER", "redis://:cana#ry@127.0.0.1:6379/0"),
        ("BROKER", "redis://:canary@127.0.0.1:x/0"),
        ("BROKER", "redis://:canary@127.0.0.1:6379/first"),
        ("BROKER", "amqp://guest:canary@127.0.0.1"),
        ("BROKER", "canary"),
    ],
)
@pytest.mark.parametrize("in_a_file", [False, True])
def test_a_malformed_address_is_refused_without_a_piece_of_its_password(
    tmp_path: Path, name: str, address: str, in_a_file: bool
) -> None:
    (tmp_path / "secret").write_text(address)
    given = {f"SNIPBENCH_{name}_FILE": str(tmp_path / "secret")} if in_a_file else {f"SNIPBENCH_{name}": address}
    with pytest.raises(UsageError, match=f"^SNIPBENCH_{name}") as told:
        read_settings(given, tmp_path)
    assert "cana" not in f"{told.value}{told.value.__cause__!r}"
    assert told.value.__suppress_context__ or told.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "address", "password"),
    [
        ("STORE", "mongodb://user:s3cr%2Ft@one:27017,two/db?replicaSet=a@b", "s3cr/t"),
        ("STORE", "mongodb://[::1]:27017/db", None),
        ("STORE", "/srv/snipbench/store.sqlite", None),
        ("BROKER", "redis://:s3cr%23t@127.0.0.1:6379/0", "s3cr#t"),
        ("BROKER", "rediss://redis", None),
        ("BROKER", "redis://redis/", None),
    ],
)
def test_a_good_address_is_taken_and_its_password_known_as_a_secret(
    tmp_path: Path, name: str, address: str, password: str | None
) -> None:
    settings = read_settings({f"SNIPBENCH_{name}": address}, tmp_path)
    assert getattr(settings, name.lower()) == address
    assert settings.secrets() == (() if password is None else (password,))
    assert password is None or password not in repr(settings)
