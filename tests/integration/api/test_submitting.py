"""Orders over real HTTP: taken in whole, refused with what is wrong with them, never twice."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from orchestrator.api.app import SUBMISSIONS_AT_ONCE
from orchestrator.dispatch.port import Work
from snipbench import records
from snipbench.domain.order import Kind
from snipbench.errors import UsageError

from .conftest import FILES, ORDER, Served

Submit = Callable[..., httpx.Response]
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def problem(response: httpx.Response, status: int) -> dict[str, object]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = response.json()
    assert body["status"] == status
    assert str(body["type"]).startswith("urn:snipbench:problem:")
    assert body["title"]
    assert body["detail"]
    return body


def test_an_order_is_taken_in_whole_with_its_files_and_rung_for(served: Served, submit: Submit) -> None:
    response = submit(warmups=0, repetitions=7, seed=3)
    assert response.status_code == 202
    receipt = response.json()
    assert receipt["experiment_ids"] == [f"{receipt['task_id']}:sums"]
    assert response.headers["location"] == f"/tasks/{receipt['task_id']}"
    assert (Work.LEAD, receipt["task_id"]) in served.bells.rung
    document = served.service.store.get("orders", receipt["order_id"])
    assert document is not None
    record = records.order_from_document(document)
    (experiment,) = record.order.experiments
    assert (experiment.warmups, experiment.repetitions, record.order.seed) == (0, 7, 3)
    assert record.overrides == {"warmups": 0, "repetitions": 7, "seed": 3}
    assert experiment.snippet("frame").kind is Kind.DATAFRAME
    assert experiment.snippet("frame").code == FILES["snippets/frame.py"]
    assert dict(record.files) == FILES
    events = list(served.service.store.find("events", {"task_id": receipt["task_id"]}))
    assert [event["stage"] for event in events] == [1, 2, 3]


def test_yaml_json_text_and_json_object_are_the_same_order(served: Served) -> None:
    inline = ORDER.replace(", file: snippets/frame.py", ", code: \"def run(spark): return spark.table('lineitem')\"")
    from ruamel.yaml import YAML

    with served.client() as client:
        answers = [
            client.post("/orders?repetitions=4", content=inline, headers={"Content-Type": "application/yaml"}),
            client.post("/orders", json={"order": inline, "repetitions": 4}),
            client.post("/orders", json={"order": YAML(typ="safe", pure=True).load(inline), "repetitions": 4}),
        ]
    found = set()
    for answer in answers:
        assert answer.status_code == 202, answer.text
        document = served.service.store.get("orders", answer.json()["order_id"])
        assert document is not None
        found.add(document["order"])
    assert len(found) == 1


def test_every_mistake_is_told_with_file_line_and_column(served: Served) -> None:
    with served.client() as client:
        text = "name: broken\nsede: 7\ndatabases: {}\nexperiments: []\n"
        body = problem(client.post("/orders", json={"order": text, "file_name": "mine.yaml"}), 422)
    mistakes = body["mistakes"]
    assert isinstance(mistakes, list)
    assert len(mistakes) > 1
    assert mistakes[0]["at"] == "mine.yaml:2:1"
    assert "seed" in mistakes[0]["message"]


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "snippets/../../x", "a\\..\\b", "missing.py", "\u0000"]
)
def test_a_file_that_did_not_come_along_is_refused_whatever_its_name(served: Served, name: str) -> None:
    with served.client() as client:
        order = ORDER.replace("snippets/frame.py", json.dumps(name))
        body = (
            problem(client.post("/orders", json={"order": order, "files": {name: "def run(spark): pass"}}), 422)
            if (name != "missing.py")
            else problem(client.post("/orders", json={"order": order}), 422)
        )
    assert len(body["mistakes"]) == 1  # type: ignore[arg-type]
    assert "root:" not in str(body)


@pytest.mark.parametrize("dataset", ["{csv: /etc}", "{data_directory: /var/lib/postgresql}", "{sql: /etc/passwd}"])
def test_a_dataset_on_the_service_s_disk_is_refused(served: Served, dataset: str) -> None:
    with served.client() as client:
        order = ORDER.replace("{generator: tpch, scale: 0.01}", dataset)
        body = problem(client.post("/orders", json={"order": order, "files": FILES}), 422)
    assert len(body["mistakes"]) == 1  # type: ignore[arg-type]


def test_a_plan_that_the_store_has_no_room_for_is_refused_at_once(served: Served) -> None:
    more = "".join(f"      - {{name: s{number}, kind: sql, code: select {number}}}\n" for number in range(8))
    with served.client() as client:
        body = {"order": ORDER + more, "files": FILES, "repetitions": 10_000}
        answer = problem(client.post("/orders", json=body), 422)
    assert "100020 runs, a plan of 23 MB; a service keeps plans of at most 15 MB" in str(answer["detail"])


def test_a_yaml_bomb_is_refused(served: Served) -> None:
    with served.client() as client:
        response = client.post("/orders", content=BOMB, headers={"Content-Type": "application/yaml"})
    mistakes = problem(response, 422)["mistakes"]
    assert isinstance(mistakes, list)
    assert [mistake["message"] for mistake in mistakes] == ["more than 50000 values once aliases are expanded"]


def test_a_large_body_is_refused_however_it_is_sent(served: Served) -> None:
    with served.client() as client:
        body = b"x" * 10_000_000
        problem(client.post("/orders", content=body, headers={"Content-Type": "application/yaml"}), 413)
        pieces = (b"x" * 100_000 for _ in range(100))
        problem(client.post("/orders", content=pieces, headers={"Content-Type": "application/yaml"}), 413)


def test_an_object_that_would_be_a_thousand_times_as_long_when_it_is_indented_is_refused(served: Served) -> None:
    deep = "[" * 200 + "1," * 100_000 + "1" + "]" * 200
    wide = "[" + "1," * 600_000 + "1]"
    with served.client() as client:
        for order, why in ((deep, "nested too deeply"), (wide[:900_000] + "1]", "at most 1048576 bytes")):
            body = f'{{"order": {{"tags": {order}}}}}'
            response = client.post("/orders", content=body, headers={"Content-Type": "application/json"})
            assert why in str(problem(response, 422)["detail"])


def test_whoever_asks_how_things_are_does_not_wait_for_orders_that_are_read(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go_on = threading.Semaphore(0), threading.Event()

    def held(*_: object) -> None:
        reading.release()
        assert go_on.wait(240)
        raise UsageError("read after all")

    monkeypatch.setattr("orchestrator.api.orders.take_in", held)

    def send() -> int:
        with served.client() as client:
            return client.post("/orders", json={"order": ORDER, "files": FILES}).status_code

    with ThreadPoolExecutor(50) as pool:
        answers = [pool.submit(send) for _ in range(50)]
        try:
            for _ in range(SUBMISSIONS_AT_ONCE):
                assert reading.acquire(timeout=60)
            with served.client() as client:
                assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
                link = {"kind": "http", "url": "http://not.allowed/order.yaml"}
                assert str(problem(client.post("/orders", json={"link": link}), 422)["type"]).endswith("source-refused")
            assert not reading.acquire(blocking=False)
        finally:
            go_on.set()
        assert [answer.result() for answer in answers] == [422] * 50


@pytest.mark.parametrize("length", ["Content-Length: 10000000", "Transfer-Encoding: chunked"])
def test_who_sends_a_large_body_to_its_end_before_reading_gets_the_answer(served: Served, length: str) -> None:
    host, _, port = served.url.removeprefix("http://").partition(":")
    head = f"POST /orders HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/yaml\r\n{length}\r\n\r\n"
    piece = b"x" * 100_000
    with socket.create_connection((host, int(port)), timeout=120) as connection:
        connection.sendall(head.encode())
        for _ in range(100):
            connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if "chunked" in length else piece)
        if "chunked" in length:
            connection.sendall(b"0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"a request has at most" in answer


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 422),
        (b"{}", "application/json", 422),
        (b'{"order": "x", "colour": 1}', "application/json", 422),
        (b'{"order": "x", "link": {"kind": "http", "url": "http://x.example/y"}}', "application/json", 422),
        (b'{"link": {"kind": "ftp"}}', "application/json", 422),
        (b"\xff\xfe", "application/yaml", 400),
        (b"name: x", "text/plain", 415),
        (b"name: x", "", 415),
        (b"[" * 5000, "application/json", 400),
    ],
)
def test_what_is_no_submission_is_one_clear_problem(served: Served, content: bytes, kind: str, status: int) -> None:
    with served.client() as client:
        problem(client.post("/orders", content=content, headers={"Content-Type": kind}), status)


def test_the_same_key_gives_the_same_order_and_another_body_is_refused(served: Served, submit: Submit) -> None:
    first = submit({"Idempotency-Key": "one"})
    again = submit({"Idempotency-Key": "one"})
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert problem(submit({"Idempotency-Key": "one"}, seed=9), 422)["type"] == "urn:snipbench:problem:idempotency-key"
    assert submit({"Idempotency-Key": "two"}).json()["task_id"] != first.json()["task_id"]


def test_a_submission_that_died_half_way_is_finished_with_the_same_ids(served: Served, submit: Submit) -> None:
    receipt = submit({"Idempotency-Key": "half"}).json()
    store = served.service.store
    (document,) = [
        d for d in store.find("submissions") if d["receipt"] and d["receipt"]["task_id"] == receipt["task_id"]
    ]
    store.replace("submissions", {**document, "receipt": None}, expected_version=document["version"])
    store.delete("tasks", {"_id": receipt["task_id"]})
    assert submit({"Idempotency-Key": "half"}).json() == receipt
    assert store.get("tasks", receipt["task_id"]) is not None


def test_links_and_callbacks_lead_to_known_hosts_only(served: Served, submit: Submit) -> None:
    with served.client() as client:
        for url in ("http://169.254.169.254/latest", "https://user:pw@x.example/o.yaml", "file:///etc/passwd"):
            body = problem(client.post("/orders", json={"link": {"kind": "http", "url": url}}), 422)
            assert body["type"] == "urn:snipbench:problem:source-refused"
            assert "pw" not in str(body["detail"])
        problem(client.post("/orders", json={"link": {"kind": "gitlab", "project": "a/b", "path": "o.yaml"}}), 422)
    assert problem(submit(callback_url="http://evil.example/"), 422)["type"] == "urn:snipbench:problem:callback"
    assert submit(callback_url="http://127.0.0.1:9/hook").status_code == 202


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://127.0.0.1:99999999/", "http://127.0.0.1:9/\x01", "http:///hook"]
)
def test_a_callback_url_that_is_none_is_refused(submit: Submit, url: str) -> None:
    problem(submit(callback_url=url), 422)


def test_an_order_is_listed_and_shown_with_its_tasks(served: Served, submit: Submit) -> None:
    receipt = submit().json()
    with served.client() as client:
        (first, *_) = client.get("/orders?limit=1").json()
        assert (first["order_id"], first["tasks"]) == (receipt["order_id"], [receipt["task_id"]])
        shown = client.get(f"/orders/{receipt['order_id']}").json()
        assert shown["text"] == ORDER
        problem(client.get("/orders/nothing"), 404)
        problem(client.get("/orders?limit=0"), 422)
        problem(client.get("/nowhere"), 404)
        problem(client.put("/orders"), 405)
