"""Who may call the API, and where it listens."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path

import httpx
import pytest

from orchestrator.api.serving import check_exposure
from orchestrator.api.tokens import Scope, Tokens, new_token
from snipbench.errors import UsageError

from .conftest import FILES, ORDER, Served

ROUTES = [
    ("GET", "/orders"),
    ("GET", "/orders/x"),
    ("GET", "/tasks/x"),
    ("GET", "/tasks/x/events"),
    ("GET", "/tasks/x/results"),
    ("GET", "/tasks/x/report"),
    ("POST", "/tasks/x/cancel"),
    ("POST", "/tasks/x/retry"),
    ("POST", "/orders"),
    ("POST", "/analyses"),
    ("GET", "/analyses/x"),
    ("GET", "/metrics"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_needs_a_known_token(guarded: Served, method: str, path: str) -> None:
    with guarded.client() as client:
        for token in (None, "Bearer wrong", "Basic eDp5", "Bearer"):
            response = client.request(method, path, headers={"Authorization": token} if token else {})
            assert response.status_code == 401, (token, response.text)
            assert response.headers["www-authenticate"].startswith("Bearer")
            assert response.json()["type"] == "urn:snipbench:problem:token"


@pytest.mark.parametrize("token", [{}, {"Authorization": "Bearer snip_wrong"}])
def test_nothing_is_kept_of_what_a_stranger_sends(guarded: Served, token: dict[str, str]) -> None:
    with guarded.client() as client:
        for body in (b"x" * 10_000_000, (b"x" * 100_000 for _ in range(100))):
            response = client.post("/orders", content=body, headers={"Content-Type": "application/yaml", **token})
            assert response.status_code == 401, "before its length is looked at, or any of it kept"
            assert response.headers["content-type"] == "application/problem+json"


def test_the_list_of_routes_above_is_complete(guarded: Served) -> None:
    paths = httpx.get(f"{guarded.url}/openapi.json", trust_env=False).json()["paths"]
    known = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    filled = {
        (method, path.partition("{")[0] + "x" + path.partition("}")[2] if "{" in path else path)
        for method, path in known
    }
    assert filled == {*ROUTES, ("GET", "/healthz"), ("GET", "/readyz")}


def test_what_needs_no_token_is_named_in_the_document(guarded: Served) -> None:
    with guarded.client() as client:
        document = client.get("/openapi.json").json()
        paths = [*document["paths"], "/openapi.json", "/docs", "/redoc"]
        methods = {path: next(iter(document["paths"].get(path, {"get": {}}))) for path in paths}
        open_ones = {path for path in paths if client.request(methods[path], path).status_code not in {401, 404}}
        assert open_ones == {"/healthz", "/readyz", "/openapi.json"}
        assert all(f"`{path}`" in document["info"]["description"] for path in open_ones)


def test_health_is_told_to_anybody(guarded: Served) -> None:
    with guarded.client() as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/readyz").json() == {"status": "ready"}


def test_a_token_allows_its_scopes_and_no_more(guarded: Served) -> None:
    order = {"order": ORDER, "files": FILES}
    with guarded.client("reader") as reader, guarded.client("submitter") as submitter, guarded.client("all") as any_:
        assert reader.get("/orders").status_code == 200
        refused = reader.post("/orders", json=order)
        assert refused.status_code == 403
        assert 'scope="submit"' in refused.headers["www-authenticate"]
        receipt = submitter.post("/orders", json=order).json()
        assert submitter.get("/orders").status_code == 403
        assert submitter.post(f"/tasks/{receipt['task_id']}/cancel").status_code == 403
        assert any_.post(f"/tasks/{receipt['task_id']}/cancel").status_code == 202


def test_a_request_s_line_in_the_log_names_its_caller(guarded: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="snipbench.api"):
        with guarded.client("submitter") as submitter, guarded.client() as stranger:
            receipt = submitter.post("/orders", json={"order": ORDER, "files": FILES}).json()
            submitter.get("/orders")
            stranger.get("/orders")
        deadline = time.monotonic() + 60
        while len(lines := [one for one in caplog.records if one.message == "request"]) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    told = {tuple(getattr(one, name, None) for name in ("status", "caller", "task_id")) for one in lines}
    assert told == {(202, "submitter", receipt["task_id"]), (403, "submitter", None), (401, None, None)}


def test_idempotency_keys_of_two_callers_do_not_meet(guarded: Served) -> None:
    order = {"order": ORDER, "files": FILES}
    answers = []
    for name in ("submitter", "all"):
        with guarded.client(name) as client:
            answers.append(client.post("/orders", json=order, headers={"Idempotency-Key": "same"}).json()["task_id"])
    assert answers[0] != answers[1]


def test_without_tokens_it_answers_to_the_loopback_s_names_only(served: Served) -> None:
    port = served.url.rpartition(":")[2]
    with served.client() as client:
        assert client.get("/healthz", headers={"Host": f"localhost:{port}"}).status_code == 200
        assert client.get("/healthz", headers={"Host": f"[::1]:{port}"}).status_code == 200
        refused = client.get("/orders", headers={"Host": "rebound.example"})
        assert refused.status_code == 421
        assert refused.headers["content-type"] == "application/problem+json"


def test_a_public_address_is_refused_without_tokens() -> None:
    tokens = Tokens((("0" * 64, None),))  # type: ignore[arg-type]
    for host in ("0.0.0.0", "::", "192.0.2.7", "myhost", ""):
        with pytest.raises(UsageError, match="without tokens"):
            check_exposure(host, None)
        check_exposure(host, tokens)
    for host in ("127.0.0.1", "::1", "localhost", "127.1.2.3"):
        check_exposure(host, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"tokens": []}',
        '{"tokens": 1}',
        '{"tokens": [{"name": "x", "sha256": "zz", "scopes": ["read"]}]}',
        json.dumps({"tokens": [{"name": "x", "sha256": "0" * 64, "scopes": ["fly"]}]}),
    ],
)
def test_a_broken_token_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "tokens.json"
    file.write_text(text)
    with pytest.raises(UsageError, match="token file"):
        Tokens.read(file)


def test_a_fresh_token_is_known_by_its_entry_alone(tmp_path: Path) -> None:
    token, entry = new_token("ci", frozenset({Scope.READ}))
    file = tmp_path / "tokens.json"
    file.write_text(json.dumps({"tokens": [entry]}))
    assert token not in file.read_text()
    caller = Tokens.read(file).caller(token)
    assert caller is not None
    assert (caller.name, caller.scopes) == ("ci", {Scope.READ})
    assert Tokens.read(file).caller(token + "x") is None
