"""The OpenAPI document tells the truth: whatever is sent to a route is answered as it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from .conftest import FILES, ORDER, Served

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="/?#%\\\0\r\n"), min_size=1, max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("order", "link", "files", "file_name", "warmups", "repetitions", "seed", "callback_url")
SUBMISSIONS = st.dictionaries(st.sampled_from(KEYS), JSON | st.just(ORDER) | st.just(FILES), max_size=5)
QUIET = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[httpx.Client]:
    with served.client() as client:
        yield client


@pytest.fixture(scope="module")
def document(served: Served) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{served.url}/openapi.json", trust_env=False).json()
    return found


def conforms(document: dict[str, Any], method: str, route: str, response: httpx.Response) -> None:
    """The status is one that the route names, and the body is of its schema."""
    answers = document["paths"][route][method]["responses"]
    status = str(response.status_code)
    described = answers.get(status) or answers.get(f"{status[0]}XX")
    assert described is not None, (route, status)
    assert response.status_code < 500, response.text
    kind = response.headers["content-type"].partition(";")[0]
    assert kind in described["content"], (route, status, kind)
    if "json" in kind:
        schema = {**described["content"][kind]["schema"], "components": document["components"]}
        Draft202012Validator(schema).validate(response.json())


def test_every_reference_leads_somewhere_and_every_route_has_examples_or_schema(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    for name in {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in document["components"]["schemas"], name
    body = document["paths"]["/orders"]["post"]["requestBody"]["content"]
    assert "example" in body["application/yaml"]
    assert document["components"]["schemas"]["Submission"]["examples"]
    assert document["openapi"].startswith("3.1")


def examples(part: Any) -> Iterator[tuple[Any, Any]]:
    """Every example below a part of the document, with the schema that it is an example of."""
    if isinstance(part, dict):
        if "schema" in part and "example" in part:
            yield part["schema"], part["example"]
        if isinstance(part.get("examples"), list):
            for example in part["examples"]:
                yield {name: value for name, value in part.items() if name != "examples"}, example
        part = part.values()
    if not isinstance(part, str | int | float | bool | None):
        for inner in part:
            yield from examples(inner)


def test_every_example_is_of_its_schema_and_what_is_sent_has_one(
    client: httpx.Client, document: dict[str, Any]
) -> None:
    found = list(examples(document))
    for schema, example in found:
        Draft202012Validator({**schema, "components": document["components"]}).validate(example)
    assert len(found) > 10
    kind, body = "application/yaml", document["paths"]["/orders"]["post"]["requestBody"]["content"]
    response = client.post("/orders", content=body[kind]["example"], headers={"Content-Type": kind})
    assert response.status_code == 202, response.text
    inline, link = document["components"]["schemas"]["Submission"]["examples"]
    assert client.post("/orders", json=inline).status_code == 202
    assert client.post("/orders", json=link).json()["type"] == "urn:snipbench:problem:source-refused"
    assert document["components"]["schemas"]["AnalysisRequest"]["examples"]


@QUIET
@given(SUBMISSIONS)
def test_any_submission_is_answered_as_described(
    client: httpx.Client, document: dict[str, Any], submission: dict[str, Any]
) -> None:
    conforms(document, "post", "/orders", client.post("/orders", json=submission))


@QUIET
@given(st.sampled_from(["application/yaml", "application/json"]), st.binary(max_size=200))
def test_any_bytes_are_answered_as_described(
    client: httpx.Client, document: dict[str, Any], kind: str, body: bytes
) -> None:
    response = client.post("/orders", content=body, headers={"Content-Type": kind})
    conforms(document, "post", "/orders", response)


@QUIET
@given(
    st.sampled_from(["/orders/{order_id}", "/tasks/{task_id}", "/tasks/{task_id}/results", "/analyses/{analysis_id}"]),
    TEXTS.filter(lambda text: text not in {".", ".."}),
)
def test_any_id_is_answered_as_described(client: httpx.Client, document: dict[str, Any], route: str, name: str) -> None:
    from urllib.parse import quote

    path = route.partition("{")[0] + quote(name, safe="") + route.partition("}")[2]
    conforms(document, "get", route, client.get(path))


@QUIET
@given(JSON)
def test_any_analysis_is_answered_as_described(client: httpx.Client, document: dict[str, Any], wanted: Any) -> None:
    conforms(document, "post", "/analyses", client.post("/analyses", json=wanted))


def test_good_answers_are_of_their_schemas(client: httpx.Client, document: dict[str, Any]) -> None:
    response = client.post("/orders", json={"order": ORDER, "files": FILES})
    conforms(document, "post", "/orders", response)
    receipt = response.json()
    for route, name in (("/orders/{order_id}", receipt["order_id"]), ("/tasks/{task_id}", receipt["task_id"])):
        conforms(document, "get", route, client.get(route.partition("{")[0] + name))
    for route in ("/orders", "/metrics", "/healthz", "/readyz"):
        conforms(document, "get", route, client.get(route))
    route = "/tasks/{task_id}/cancel"
    conforms(document, "post", route, client.post(route.replace("{task_id}", receipt["task_id"])))
    conforms(document, "post", route, client.post(route.replace("{task_id}", "none")))
