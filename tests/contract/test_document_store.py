"""What every document store must do, whatever is behind it."""

from __future__ import annotations

import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from snipbench.errors import StoreError
from snipbench.store.patient import PatientStore
from snipbench.store.port import DocumentStore
from snipbench.store.sqlite import SqliteStore

OpenStore = Callable[[], DocumentStore]

INCREMENT = """
import sys
from snipbench.store.opening import open_store
store = open_store(sys.argv[1])
for _ in range(int(sys.argv[2])):
    while True:
        found = store.get("counters", "one")
        if store.replace("counters", {**found, "value": found["value"] + 1}, expected_version=found["version"]):
            break
store.close()
"""


@pytest.fixture(params=["sqlite", "patient", pytest.param("mongo", marks=pytest.mark.mongo)])
def kind(request: pytest.FixtureRequest) -> str:
    """Which implementation; the patient one asks SQLite."""
    return str(request.param)


@pytest.fixture
def address(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a fresh, empty store is: a file's path, or a MongoDB URL with a database of its own."""
    if kind != "mongo":
        yield str(tmp_path / "home" / "store.sqlite")
        return
    import pymongo

    server = request.getfixturevalue("mongo_server")

    database = f"snipbench_test_{uuid.uuid4().hex[:12]}"
    base, _, options = server.partition("?")
    yield f"{base.rstrip('/')}/{database}" + (f"?{options}" if options else "")
    with pymongo.MongoClient[dict[str, object]](server) as client:
        client.drop_database(database)


@pytest.fixture
def open_store(kind: str, address: str) -> Iterator[OpenStore]:
    from snipbench.store.opening import open_store as opening

    opened: list[DocumentStore] = []

    def opener() -> DocumentStore:
        opened.append(PatientStore(opening(address)) if kind == "patient" else opening(address))
        return opened[-1]

    yield opener
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore) -> DocumentStore:
    return open_store()


def ids(found: Iterator[dict[str, object]]) -> list[object]:
    return [document["_id"] for document in found]


def test_documents_come_back_as_they_went_in(store: DocumentStore) -> None:
    document = {
        "_id": "a",
        "text": "zażółć gęślą jaźń 🐍 \u2028 'quoted' \"doubly\"",
        "integer": 2**63 - 1,
        "lowest": -(2**63),
        "float": 0.1,
        "whole_float": 3.0,
        "flag": True,
        "nothing": None,
        "list": [1, "two", None, {"three": 3.5}, [], [[4, [5]], {"six": [[7]]}]],
        "nested": {"a-b": {"c d": [False]}, "empty": {}},
    }
    assert store.insert("things", [document]) == 1
    found = store.get("things", "a")
    assert found == document
    assert isinstance(found["whole_float"], float)
    assert isinstance(found["integer"], int)
    assert found["flag"] is True


def test_what_was_inserted_is_seen_by_another_store_of_the_same_address(open_store: OpenStore) -> None:
    open_store().insert("things", [{"_id": "a", "n": 1}])
    assert open_store().get("things", "a") == {"_id": "a", "n": 1}


def test_large_document_is_kept_whole(store: DocumentStore) -> None:
    document = {"_id": "big", "text": "ä" * 500_000}
    store.insert("things", [document])
    assert store.get("things", "big") == document


def test_inserting_again_changes_nothing(store: DocumentStore) -> None:
    assert store.insert("things", [{"_id": "a", "n": 1}]) == 1
    assert store.insert("things", [{"_id": "a", "n": 2}]) == 0
    assert store.get("things", "a") == {"_id": "a", "n": 1}


def test_insert_with_some_known_ids_adds_the_others(store: DocumentStore) -> None:
    store.insert("things", [{"_id": "b", "n": 0}, {"_id": "d", "n": 0}])
    assert store.insert("things", [{"_id": name, "n": 1} for name in "abcde"]) == 3
    assert [(d["_id"], d["n"]) for d in store.find("things")] == [("a", 1), ("b", 0), ("c", 1), ("d", 0), ("e", 1)]


def test_of_two_documents_with_one_id_in_one_insert_the_first_stays(store: DocumentStore) -> None:
    assert store.insert("things", [{"_id": "a", "n": 1}, {"_id": "a", "n": 2}]) == 1
    assert store.get("things", "a") == {"_id": "a", "n": 1}


def test_insert_of_nothing_adds_nothing(store: DocumentStore) -> None:
    assert store.insert("things", []) == 0
    assert store.collections() == ()


def test_insert_leaves_the_callers_documents_alone(store: DocumentStore) -> None:
    document = {"_id": "a", "n": 1}
    store.insert("things", [document])
    store.replace("others", document, expected_version=None)
    assert document == {"_id": "a", "n": 1}


@pytest.mark.parametrize(
    ("bad", "path"),
    [
        ({"_id": "b", "a.b": 1}, r"a\.b"),
        ({"_id": "b", "nested": {"$set": 1}}, r"nested\.\$set"),
        ({"_id": "b", "nested": [{"": 1}]}, r"nested\[0\]"),
        ({"_id": "b", "value": float("nan")}, "value"),
        ({"_id": "b", "deep": {"value": [0, float("inf")]}}, r"deep.value\[1\]"),
        ({"_id": "b", "value": 2**63}, "64 bits"),
        ({"_id": "b", "value": {1, 2}}, "set"),
        ({"_id": "b", "value": b"bytes"}, "bytes"),
        ({"_id": "b", "text": "lone \udcff"}, "surrogate"),
        ({"_id": "b", "keys": {1: 2}}, "keys.1"),
        ({"_id": 7}, "_id"),
        ({"_id": ""}, "_id"),
        ({"n": 1}, "_id"),
    ],
)
def test_a_document_against_the_rules_is_refused_and_nothing_of_the_call_is_stored(
    store: DocumentStore, bad: dict[str, object], path: str
) -> None:
    with pytest.raises(StoreError, match=path):
        store.insert("things", [{"_id": "a"}, bad, {"_id": "c"}])
    assert store.count("things") == 0
    with pytest.raises(StoreError, match=path):
        store.replace("things", bad, expected_version=None)
    assert store.count("things") == 0


@pytest.mark.parametrize("name", ["", "Runs", "1st", "a b", 'a"b', "a.b", "sqlite_master", "a" * 64])
def test_a_collections_name_that_not_every_store_can_hold_is_refused(store: DocumentStore, name: str) -> None:
    with pytest.raises(StoreError, match="name of a collection"):
        store.insert(name, [{"_id": "a"}])
    with pytest.raises(StoreError, match="name of a collection"):
        store.find(name)


def test_missing_documents_and_collections_are_empty_not_errors(store: DocumentStore) -> None:
    assert store.get("nowhere", "a") is None
    assert list(store.find("nowhere")) == []
    assert store.count("nowhere") == 0
    assert store.delete("nowhere", {"n": 1}) == 0
    assert not store.replace("nowhere", {"_id": "a"}, expected_version=1)
    assert store.collections() == ()


def test_find_narrows_by_every_condition(store: DocumentStore) -> None:
    store.insert("runs", [{"_id": f"{task}{n}", "task_id": task, "n": n} for task in "ab" for n in range(3)])
    assert ids(store.find("runs", {"task_id": "a"})) == ["a0", "a1", "a2"]
    assert ids(store.find("runs", {"task_id": "b", "n": 1})) == ["b1"]
    assert ids(store.find("runs", {"_id": ["a0", "b2", "z"]})) == ["a0", "b2"]
    assert store.count("runs", {"n": 0}) == 2
    assert store.count("runs") == 6


def test_a_list_means_one_of(store: DocumentStore) -> None:
    values = [1, 2, "1", True, None, 2.5, "x"]
    store.insert("things", [{"_id": str(i), "v": v} for i, v in enumerate(values)])
    assert ids(store.find("things", {"v": [1, "x"]})) == ["0", "6"]
    assert ids(store.find("things", {"v": (2, 2.5, None)})) == ["1", "4", "5"]
    assert ids(store.find("things", {"v": ["1", "x", False]})) == ["2", "6"]
    assert ids(store.find("things", {"v": []})) == []


def test_types_count_in_conditions(store: DocumentStore) -> None:
    values = [1, True, "1", 1.0, [1], {"a": 1}, '{"a":1}', "true"]
    store.insert("things", [{"_id": str(i), "v": v} for i, v in enumerate(values)])
    assert ids(store.find("things", {"v": 1})) == ["0", "3"]
    assert ids(store.find("things", {"v": True})) == ["1"]
    assert ids(store.find("things", {"v": "1"})) == ["2"]
    assert ids(store.find("things", {"v": '{"a":1}'})) == ["6"]


def test_none_equals_absent(store: DocumentStore) -> None:
    store.insert("things", [{"_id": "a", "v": None}, {"_id": "b"}, {"_id": "c", "v": 0}, {"_id": "d", "v": ""}])
    assert ids(store.find("things", {"v": None})) == ["a", "b"]
    assert ids(store.find("things", {"v": [None, 0]})) == ["a", "b", "c"]


@pytest.mark.parametrize("where", [{"v": {"$gt": 1}}, {"v": [[1]]}, {"a.b": 1}, {"$where": "1"}, {"v": float("nan")}])
def test_conditions_that_not_every_store_understands_are_refused(
    store: DocumentStore, where: dict[str, object]
) -> None:
    store.insert("things", [{"_id": "a", "v": 1}])
    with pytest.raises(StoreError):
        store.find("things", where)
    with pytest.raises(StoreError):
        store.delete("things", where)
    assert store.count("things") == 1


def test_order_by_several_fields_with_absent_first_and_the_id_deciding_ties(store: DocumentStore) -> None:
    rows = [("a", 2, 1), ("b", 1, 1), ("c", 2, 0), ("d", 1, None), ("e", 1, 1)]
    store.insert("things", [{"_id": i, "x": x} | ({} if y is None else {"y": y}) for i, x, y in rows])
    assert ids(store.find("things", order_by=("x", "y"))) == ["d", "b", "e", "c", "a"]
    assert ids(store.find("things", order_by=("-x", "y"))) == ["c", "a", "d", "b", "e"]
    assert ids(store.find("things", order_by=("-y",))) == ["a", "b", "e", "c", "d"]
    assert ids(store.find("things", order_by=("-_id",), limit=2)) == ["e", "d"]
    assert ids(store.find("things", {"x": 1}, order_by=("y",), limit=1)) == ["d"]
    assert ids(store.find("things", limit=0)) == []
    with pytest.raises(StoreError, match="field"):
        store.find("things", order_by=("x; drop table things",))


def test_texts_are_ordered_by_code_point(store: DocumentStore) -> None:
    names = ["B", "a", "ä", "z", "Z", "_", "10", "9"]
    store.insert("things", [{"_id": str(i), "name": name} for i, name in enumerate(names)])
    assert [document["name"] for document in store.find("things", order_by=("name",))] == sorted(names)


def test_a_long_answer_can_be_read_while_the_store_is_written(store: DocumentStore) -> None:
    store.insert("things", [{"_id": f"{n:05}", "n": n} for n in range(3000)])
    seen = []
    for document in store.find("things"):
        seen.append(document["n"])
        if document["n"] % 1000 == 0:
            store.insert("others", [{"_id": str(document["n"])}])
    assert seen == list(range(3000))
    assert store.count("others") == 3


def test_an_iterator_that_is_dropped_half_way_harms_nothing(store: DocumentStore) -> None:
    store.insert("things", [{"_id": f"{n:05}"} for n in range(2000)])
    for _ in range(20):
        assert next(store.find("things"))["_id"] == "00000"
    assert store.delete("things", {"_id": "00000"}) == 1
    assert store.count("things") == 1999


def test_replace_makes_a_document_once(store: DocumentStore) -> None:
    assert store.replace("tasks", {"_id": "a", "n": 1}, expected_version=None)
    assert not store.replace("tasks", {"_id": "a", "n": 2}, expected_version=None)
    assert store.get("tasks", "a") == {"_id": "a", "n": 1, "version": 1}


def test_replace_needs_the_version_it_saw(store: DocumentStore) -> None:
    store.replace("tasks", {"_id": "a", "old": 1}, expected_version=None)
    assert store.replace("tasks", {"_id": "a", "new": 2}, expected_version=1)
    assert not store.replace("tasks", {"_id": "a", "new": 3}, expected_version=1)
    assert not store.replace("tasks", {"_id": "b"}, expected_version=1)
    assert store.get("tasks", "a") == {"_id": "a", "new": 2, "version": 2}
    assert store.get("tasks", "b") is None


def test_the_version_is_the_stores_whatever_the_document_says(store: DocumentStore) -> None:
    store.replace("tasks", {"_id": "a", "version": 77}, expected_version=None)
    assert store.get("tasks", "a") == {"_id": "a", "version": 1}
    store.insert("tasks", [{"_id": "b"}])
    assert not store.replace("tasks", {"_id": "b", "n": 1}, expected_version=None)


def test_threads_that_count_together_lose_no_increment(store: DocumentStore) -> None:
    store.replace("counters", {"_id": "one", "value": 0}, expected_version=None)
    errors: list[BaseException] = []

    def count() -> None:
        try:
            for _ in range(12):
                while True:
                    found = store.get("counters", "one")
                    assert found is not None
                    grown = {**found, "value": found["value"] + 1}
                    if store.replace("counters", grown, expected_version=found["version"]):
                        break
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert store.get("counters", "one") == {"_id": "one", "value": 96, "version": 97}


def test_processes_that_count_together_lose_no_increment(store: DocumentStore, address: str) -> None:
    store.replace("counters", {"_id": "one", "value": 0}, expected_version=None)
    command = [sys.executable, "-c", INCREMENT, address, "30"]
    root = Path(__file__).parents[2]
    processes = [subprocess.Popen(command, cwd=root) for _ in range(4)]
    assert [process.wait(240) for process in processes] == [0, 0, 0, 0]
    assert store.get("counters", "one") == {"_id": "one", "value": 120, "version": 121}


def test_threads_that_insert_the_same_documents_add_each_once(store: DocumentStore) -> None:
    documents = [{"_id": f"{n:03}", "n": n} for n in range(200)]
    added: list[int] = []
    threads = [threading.Thread(target=lambda: added.append(store.insert("things", documents))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(added) == 200
    assert len(added) == 6
    assert list(store.find("things")) == documents


def test_delete_removes_what_find_gives(store: DocumentStore) -> None:
    store.insert("runs", [{"_id": str(n), "odd": n % 2} for n in range(6)])
    assert store.delete("runs", {"odd": 1}) == 3
    assert ids(store.find("runs")) == ["0", "2", "4"]
    assert store.delete("runs", {"_id": ["0", "2", "9"]}) == 2
    assert store.count("runs") == 1


def test_delete_without_a_condition_is_refused(store: DocumentStore) -> None:
    store.insert("runs", [{"_id": "a"}])
    with pytest.raises(ValueError, match="condition"):
        store.delete("runs", {})
    assert store.count("runs") == 1


def test_collections_lists_those_that_hold_something(store: DocumentStore) -> None:
    store.insert("b_things", [{"_id": "a"}])
    store.insert("a_things", [{"_id": "a"}])
    store.insert("gone", [{"_id": "a"}])
    store.delete("gone", {"_id": "a"})
    assert store.collections() == ("a_things", "b_things")


def test_a_closed_store_refuses_everything(store: DocumentStore) -> None:
    store.insert("things", [{"_id": "a"}])
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.insert("things", [{"_id": "b"}])
    with pytest.raises(StoreError, match="closed"):
        store.get("things", "a")
    with pytest.raises(StoreError, match="closed"):
        store.collections()


def test_processes_that_open_a_new_file_at_once_all_get_in(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    code = (
        "import sys; from snipbench.store.sqlite import SqliteStore; s = SqliteStore(sys.argv[1]);"
        "s.insert('things', [{'_id': sys.argv[2]}]); s.close()"
    )
    root = Path(__file__).parents[2]
    processes = [subprocess.Popen([sys.executable, "-c", code, str(path), str(n)], cwd=root) for n in range(4)]
    assert [process.wait(240) for process in processes] == [0, 0, 0, 0]
    assert SqliteStore(path).count("things") == 4
