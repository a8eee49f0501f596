"""The gateway to a language model as a process: what it hands on, what it keeps to itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from analyzer.advisors.endpoint import CallFailed, Endpoint
from orchestrator.databases.server import free_port
from snipbench.redaction import Redactor
from tests.servers.openai_server import (
    GOOD,
    Server,
    answers,
    compressed_without_end,
    drips_body,
    fails,
    huge,
    serving,
)
from tests.waiting import until

from .canaries import canary
from .conftest import run_command
from .serving import process

REQUEST = {"model": "m", "messages": [{"role": "user", "content": "faster, please"}]}


@dataclass(frozen=True)
class Gateway:
    """A gateway before a server."""

    url: str
    key: str
    log: Path
    behind: Server

    def asked(self) -> str | None:
        """The text of an answer, as an advisor reads it that has another key."""
        advisor = Endpoint(base_url=f"{self.url}/v1", api_key="of nobody", redactor=Redactor())
        return advisor.complete(REQUEST, seconds=30.0).text

    def refused(self) -> CallFailed:
        """Why there is none."""
        with pytest.raises(CallFailed) as told:
            self.asked()
        return told.value


@pytest.fixture
def gateway(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """It waits for an answer for a minute at most, or for so many seconds as the test says."""
    key, port, log = canary("advisor"), free_port(), tmp_path / "gateway.log"
    (tmp_path / "key").write_text(f"{key}\n")
    with serving() as behind:
        variables = {"OPENAI_BASE_URL": behind.url, "OPENAI_API_KEY_FILE": str(tmp_path / "key")}
        variables["SNIPBENCH_ADVISOR_TIMEOUT_SECONDS"] = getattr(request, "param", "60")
        with process(log, "serve", "gateway", "--port", port, **variables):
            url = f"http://127.0.0.1:{port}"
            until(lambda: _alive(url))
            yield Gateway(url, key, log, behind)
    assert key not in log.read_text()


def _alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_a_question_is_handed_on_under_the_gateway_s_own_key(gateway: Gateway) -> None:
    gateway.behind.behave(answers(GOOD))
    text = gateway.asked()
    assert text is not None
    assert json.loads(text) == GOOD
    assert gateway.behind.requests == [REQUEST]
    assert gateway.behind.keys == [f"Bearer {gateway.key}"]


def test_a_refusal_is_given_back_without_the_key_that_it_repeats(gateway: Gateway) -> None:
    gateway.behind.behave(fails(401, f"Incorrect API key provided: {gateway.key}"), fails(429, retry_after="7"))
    refused = gateway.refused()
    assert (refused.status, "Incorrect API key provided" in refused.text) == (401, True)
    assert gateway.key not in refused.text
    again = gateway.refused()
    assert (again.status, again.retry_after_seconds, again.may_pass) == (429, 7.0, True)


@pytest.mark.parametrize("gateway", ["1"], indirect=True)
def test_an_endpoint_that_is_slow_is_given_up(gateway: Gateway) -> None:
    gateway.behind.behave(drips_body)
    assert gateway.refused().status == 504


def test_an_answer_without_an_end_or_compressed_is_refused(gateway: Gateway) -> None:
    gateway.behind.behave(huge, compressed_without_end)
    assert gateway.refused().kind == "too_large"
    assert "compressed" in gateway.refused().text


def test_an_endpoint_that_is_not_reached_cost_no_tokens(tmp_path: Path) -> None:
    port = free_port()
    nowhere = {"OPENAI_BASE_URL": f"http://127.0.0.1:{free_port()}/v1"}
    with process(tmp_path / "gateway.log", "serve", "gateway", "--port", port, **nowhere), serving() as unasked:
        url = f"http://127.0.0.1:{port}"
        until(lambda: _alive(url))
        refused = Gateway(url, "", tmp_path / "gateway.log", unasked).refused()
    assert (refused.status, refused.unprocessed, refused.may_pass) == (502, True, True)


def test_nothing_else_is_handed_on(gateway: Gateway) -> None:
    with httpx.Client(base_url=gateway.url, trust_env=False) as client:
        assert client.get("/v1/models").status_code == 404
        assert client.get("/v1/chat/completions").status_code == 405
        assert client.post("/v1/chat/completions", content=b" " * (4 * 2**20 + 1)).status_code == 413
    assert gateway.behind.requests == []


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"OPENAI_BASE_URL": "ftp://somewhere/v1"}, "OPENAI_BASE_URL must begin with http:// or https://"),
        ({"OPENAI_BASE_URL": "http://a:b@somewhere/v1"}, "OPENAI_BASE_URL must have no name and password"),
        ({"OPENAI_API_KEY": "snip\u2019"}, "must be one line of ASCII characters"),
        ({"OPENAI_API_KEY_FILE": "/nowhere"}, "cannot read the secret file '/nowhere'"),
        ({"SNIPBENCH_ADVISOR_TIMEOUT_SECONDS": "soon"}, "must be a number of seconds above 0, not 'soon'"),
    ],
)
def test_settings_that_are_wrong_are_refused_before_it_serves(variables: dict[str, str], told: str) -> None:
    done = run_command("serve", "gateway", "--port", 0, **variables)
    assert done.returncode == 2
    assert told in done.stderr
