"""Texts of arguments, return values and exceptions: bounded, safe, redacted."""

from __future__ import annotations

import json
import time
from collections import namedtuple
from dataclasses import dataclass, field
from enum import StrEnum

import pytest

from snipbench.profiling import configure, profile

SECRET = "s3cr3t-v4lue"


@pytest.fixture
def text_of(drain):
    """The text recorded for a value given as an argument."""

    def text(value, **options):
        profile(always=True, **options)(lambda value: None)(value)
        (row,) = drain()
        return row["arguments"].removeprefix("(").removesuffix(",)")

    return text


def test_builtin_values_are_written_as_python_does(text_of):
    for value in (1, -2.5, True, None, "a'b", b"bytes", (1,), [1, "x"], {"k": (1, 2)}, {3}, 2 + 1j, [], {}, ()):
        assert text_of(value) == repr(value)


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10_000_000,
        ["y" * 1000] * 10_000,
        {n: n for n in range(100_000)},
        b"z" * 1_000_000,
        10**100_000,
        range(10**9),
    ],
    ids=["string", "list", "dict", "bytes", "integer", "range"],
)
def test_huge_values_take_little_time_and_room(text_of, value):
    start = time.thread_time()
    assert len(text_of(value)) < 520
    assert time.thread_time() - start < 0.2


def test_the_limit_can_be_set(text_of):
    assert text_of("x" * 100, text_limit=20) == "'" + "x" * 18 + "…"


def test_values_that_contain_themselves_end(text_of):
    loop = [1]
    loop.append(loop)
    table = {}
    table["self"] = table
    assert text_of(loop) == "[1, [...]]"
    assert text_of(table) == "{'self': {...}}"
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert text_of(deep) == "[[[[...]]]]"


class Sluggish:
    asked = 0

    def __repr__(self):
        Sluggish.asked += 1
        time.sleep(0.01)
        return "Sluggish!"


class Plain:
    pass


def raising(value):
    raise RuntimeError("no text of me")


def no_text(value):
    return 5


def endless(value):
    return repr(value)


@pytest.mark.parametrize(
    ("text", "error"), [(raising, "RuntimeError"), (no_text, "TypeError"), (endless, "RecursionError")]
)
def test_a_repr_that_fails_harms_nothing(drain, text, error):
    argument, returned = (type("Failing", (), {"__repr__": text})() for _ in range(2))  # a slow type is asked once
    assert profile(always=True)(lambda value: returned)(argument) is returned
    (row,) = drain()
    assert row["arguments"] == f"<unprintable: {error}>"
    assert row["return_value"] == f"<unprintable: {error}>"


def test_a_slow_repr_is_asked_once(text_of):
    assert text_of(Sluggish()) == "Sluggish!"
    assert text_of(Sluggish()).endswith("Sluggish>")
    assert Sluggish.asked == 1


def test_an_exception_without_a_text_is_recorded_by_type(drain):
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError

    @profile
    def refuse():
        raise Mute

    for _ in range(2):
        with pytest.raises(Mute):
            refuse()
    assert all("Mute" in row["exception"] for row in drain())


def test_objects_without_a_repr_are_named_without_address(text_of):
    assert text_of(Plain()).endswith("Plain>")
    assert "0x" not in text_of(Plain())
    assert text_of(Plain).startswith("<class ")


def test_a_profiled_repr_called_for_a_text_is_not_a_call_of_the_program(drain):
    class Watched:
        @profile(always=True)
        def __repr__(self):
            return f"Watched {len('abc')}"

    watched = Watched()
    profile(always=True)(lambda value: None)(watched)
    assert [row["function_name"] for row in drain()] == ["<lambda>"]
    repr(watched)
    assert len(drain()) == 1


def test_arrays_and_frames_are_named_by_shape(text_of):
    import numpy

    assert text_of(numpy.zeros((3, 4))) == "<numpy.ndarray shape=(3, 4)>"


def test_lone_surrogates_do_not_reach_a_file(text_of):
    class Odd:
        def __repr__(self):
            return "\ud800"

    text_of(Odd()).encode("utf-8")


# Redaction


@pytest.mark.parametrize(
    "name",
    ["password", "db_password", "passwd", "token", "accessToken", "API_KEY", "apikey", "client_secret", "auth", "dsn"],
)
def test_arguments_of_secret_like_names_are_hidden(drain, name):
    namespace = {}
    exec(f"def connect(host, {name}): return host", namespace)
    connect = profile(always=True)(namespace["connect"])
    connect("db", "hunter2")
    connect("db", **{name: "hunter2"})
    connect({"nested": {name: "hunter2"}}, None)
    for row in drain():
        assert "hunter2" not in json.dumps([row["arguments"], row["keyword_arguments"], row["return_value"]])
        assert "<redacted>" in row["arguments"] + row["keyword_arguments"]


@pytest.mark.parametrize("name", ["host", "monkey", "keys", "author", "passenger_count", "tok"])
def test_other_names_are_not(drain, name):
    namespace = {}
    exec(f"def connect({name}): return 1", namespace)
    profile(always=True)(namespace["connect"])("value")
    assert drain()[0]["arguments"] == "('value',)"


@dataclass
class Login:
    user: str
    password: str
    notes: list = field(default_factory=list)


Pair = namedtuple("Pair", ["user", "token"])


def test_fields_of_secret_like_names_are_hidden(text_of):
    assert text_of(Login("ann", "hunter2")) == "Login(user='ann', password=<redacted>, notes=[])"
    assert text_of(Pair("ann", "hunter2")) == "Pair(user='ann', token=<redacted>)"


class Field(StrEnum):
    PASSWORD = "password"


class Header(str):
    """A text with a will of its own."""

    def __str__(self):
        raise AssertionError("asked for its text")

    __repr__ = __format__ = lower = encode = __getitem__ = __str__


@pytest.mark.parametrize("key", [Field.PASSWORD, b"password", Header("Authorization")], ids=["enum", "bytes", "own"])
def test_keys_of_secret_like_names_are_hidden_whatever_their_type(drain, key):
    profile(always=True)(lambda value: None)({key: ["hunter2"]})
    profile(always=True)(lambda value: None)([{"user": "ann", key: ("x", b"hunter2")}])
    assert not any("hunter2" in str(value) for row in drain() for value in row.values())


def test_the_value_behind_a_key_that_is_no_text_is_written(text_of):
    assert text_of({1: "one", b"\xff": "two", None: "none"}) == "{1: 'one', b'\\xff': 'two', None: 'none'}"


@pytest.mark.parametrize(
    "text",
    [
        "host=db password=hunter2",
        "Server=x;Password=hunter2;",
        '{"api_key": "hunter2"}',
        "postgresql://ann:hunter2@db/shop",
        "Authorization: Bearer hunter2hunter2",
        "token = hunter2",
    ],
)
def test_secrets_are_found_by_their_shape_also_in_exceptions(drain, text):
    @profile
    def refuse(value):
        raise ValueError(value)

    with pytest.raises(ValueError, match="hunter2"):
        refuse(text)
    with pytest.raises(ValueError, match="hunter2"):
        refuse(text)
    for row in drain():
        assert "hunter2" not in str(row)


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEhunter2\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nMIIEhunter2",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.hunter2hunter2",
        "sk-proj-hunter2hunter2hunter2",
        "ghp_hunter2hunter2hunter2hunter2hunter2",
        "glpat-hunter2hunter2hunter2",
        "AKIAHUNTER2HUNTER2XX",
    ],
)
def test_keys_and_tokens_are_known_by_their_beginning(text_of, secret):
    assert "hunter2" not in text_of([secret]).lower()
    assert "hunter2" not in text_of({"note": f"use {secret}"}).lower()


def test_what_only_begins_like_a_token_stays(text_of):
    for text in ("task-sk-1", "sk-learn", "eyJ is base64", "-----BEGIN CERTIFICATE-----", "ghp_"):
        assert text_of(text) == repr(text)


@pytest.mark.parametrize(
    "secret", [SECRET, "with'quote", "with\"both'quotes", "line\nbreak", "back\\slash", "é\u2028", "a" * 900]
)
def test_known_secret_values_are_hidden_wherever_they_stand(drain, secret):
    configure(secrets=[secret, ""])

    class Holder:
        def __repr__(self):
            return f"Holder({secret})"

    @profile(always=True)
    def use(value, *rest, **more):
        return [value, {"k": value}]

    use(secret, f"begins {secret} ends", json.dumps(secret), [secret], Holder(), secret.encode(), key=secret)
    with pytest.raises(TypeError):
        profile(lambda: int([secret].pop, secret))()
    (row, failed) = drain()
    for column in ("arguments", "keyword_arguments", "return_value"):
        assert secret not in row[column]
        assert repr(secret)[1:-1] not in row[column]
        assert "<redacted>" in row[column]
    assert secret not in str(failed)


@pytest.mark.parametrize(
    "secret", [SECRET, "".join(chr(65 + n % 26) + str(n) for n in range(30))], ids=["short", "long"]
)
@pytest.mark.parametrize("offset", range(0, 120, 3))
def test_no_part_of_a_secret_is_left_where_a_text_is_cut(text_of, secret, offset):
    configure(secrets=[secret])
    start = "." * offset
    for value in (start + secret * 4, [start, secret, secret], {start: secret + secret}, start + secret * 40):
        assert secret[:3] not in text_of(value, text_limit=110)


def test_a_secret_in_the_source_is_hidden_there(drain):
    import zlib

    configure(secrets=[SECRET])

    @profile
    def hard_coded():
        return len("s3cr3t-v4lue")

    hard_coded()
    (row,) = drain()
    assert b"<redacted>" in zlib.decompress(row["source_code_compressed"])
    assert SECRET.encode() not in zlib.decompress(row["source_code_compressed"])


def test_secret_values_come_from_a_file_too_and_without_it_no_text_is_kept(program, spooled, tmp_path):
    text = """
from snipbench.profiling import profile
profile(lambda value: None)("uses s3cr3t-v4lue")
"""
    (tmp_path / "secrets.json").write_text(json.dumps([SECRET]))
    program(f"import os; os.environ['SNIPBENCH_PROFILE_SECRETS'] = {str(tmp_path / 'secrets.json')!r}" + text)
    program(f"import os; os.environ['SNIPBENCH_PROFILE_SECRETS'] = {str(tmp_path / 'absent')!r}" + text)
    assert sorted(str(row["arguments"]) for row in spooled()) == ["('uses <redacted>',)", "None"]


def test_texts_can_be_left_out(drain):
    profile(always=True, texts=False)(lambda value: value)("x")
    (row,) = drain()
    assert (row["arguments"], row["keyword_arguments"], row["return_value"]) == (None, None, None)
    assert row["cpu_usage"] is not None
