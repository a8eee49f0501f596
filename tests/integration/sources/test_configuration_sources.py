"""Orders fetched from GitLab and over HTTP: whole, at one commit, with clear errors, and no token anywhere."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.intake import Configuration, new_ids, take_in
from orchestrator.settings import Secret, ServiceSettings
from orchestrator.sources.gitlab import fetch_gitlab
from orchestrator.sources.http import fetch_http
from snipbench import records
from snipbench.clock import SystemClock
from snipbench.errors import OrderError, SourceError
from snipbench.store.sqlite import SqliteStore
from tests.servers.gitlab_server import COMMIT, GitLab, gitlab_server

CANARY = "glpat-canary0123456789"
ORDER = """\
name: fetched
databases:
  shop: {dataset: {sql: tables.sql}}
experiments:
  - name: sums
    database: shop
    tables: [numbers]
    snippets:
      - {name: frame, kind: dataframe, file: snippets/frame.py}
"""
FILES = {
    "orders/fetched.yaml": ORDER,
    "orders/tables.sql": "create table numbers (n int);",
    "orders/snippets/frame.py": "def run(spark):\n    return spark.table('numbers')\n",
    "elsewhere/lost.yaml": ORDER,
}


class QuickClock(SystemClock):
    """Sleeps pass at once and are noted."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    with gitlab_server(CANARY) as server:
        server.files = dict(FILES)
        yield server


@pytest.fixture
def settings(gitlab: GitLab, tmp_path: Path) -> ServiceSettings:
    return ServiceSettings(
        home=tmp_path,
        store=str(tmp_path / "store.sqlite"),
        gitlab_url=gitlab.url,
        gitlab_token=Secret(CANARY),
        source_hosts=frozenset({gitlab.host}),
    )


def taken_in(settings: ServiceSettings, configuration: Configuration) -> dict[str, object]:
    store = SqliteStore(settings.store)
    clock = SystemClock()
    receipt = take_in(store, clock, configuration, {}, new_ids(clock))
    document = store.get("orders", receipt.order_id)
    events = list(store.find("events"))
    store.close()
    assert document is not None
    record = records.order_from_document(document)
    assert dict(record.files) == {
        "tables.sql": FILES["orders/tables.sql"],
        "snippets/frame.py": FILES["orders/snippets/frame.py"],
    }
    return {"source": record.source, "downloaded": events[1]["text"]}


def test_an_order_in_gitlab_is_taken_in_with_its_files_at_one_commit(
    gitlab: GitLab, settings: ServiceSettings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        found = taken_in(
            settings, fetch_gitlab(settings, project="data/experiments", path="orders/fetched.yaml", ref="main")
        )
    assert found["source"] == {
        "kind": "gitlab",
        "location": f"{gitlab.host}/data/experiments:orders/fetched.yaml",
        "ref": "main",
        "commit": COMMIT,
        "sha256": hashlib.sha256(ORDER.encode()).hexdigest(),
    }
    assert str(found["downloaded"]).endswith(f"at commit {COMMIT}")
    assert set(gitlab.tokens) == {CANARY}
    assert CANARY not in caplog.text
    assert all(CANARY.encode() not in path.read_bytes() for path in settings.home.rglob("*") if path.is_file())
    assert CANARY not in repr(settings)


def told(settings: ServiceSettings, clock: QuickClock, **changes: str) -> SourceError:
    wanted = {"project": "data/experiments", "path": "orders/fetched.yaml", "ref": "main", **changes}
    with pytest.raises(SourceError) as error:
        fetch_gitlab(settings, clock=clock, **wanted)
    assert CANARY not in f"{error.value!r} {error.value.__cause__!r}"
    return error.value


def test_each_failure_of_gitlab_is_told_apart(gitlab: GitLab, settings: ServiceSettings, clock: QuickClock) -> None:
    assert "the token was refused (401)" in str(told(settings, clock, token="wrong-token"))
    assert "no such project" in str(told(settings, clock, project="data/none"))
    assert "no commit, branch or tag 'gone'" in str(told(settings, clock, ref="gone"))
    assert "not there at commit 5f3c9a0b1d (404)" in str(told(settings, clock, path="orders/none.yaml"))
    moved = told(settings, clock, path="orders/lost.yaml")
    assert moved.reason == "moved"
    assert "a file of that name is at elsewhere/lost.yaml" in str(moved)
    renamed = told(settings, clock, project="data/renamed")
    assert renamed.reason == "moved"
    assert "/api/v4/projects/7/repository" in str(renamed)
    gitlab.sick = [(403, {})]
    assert told(settings, clock).reason == "unauthorized"
    assert clock.slept == []


def test_a_rate_limit_is_waited_for_as_long_as_it_asks(
    gitlab: GitLab, settings: ServiceSettings, clock: QuickClock
) -> None:
    gitlab.sick = [(429, {"retry-after": "3"}), (429, {"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}), (503, {})]
    found = fetch_gitlab(settings, project="data/experiments", path="orders/fetched.yaml", clock=clock)
    assert found.text == ORDER
    assert clock.slept == [3.0, 0.0, 1.0]


def test_a_rate_limit_that_asks_too_much_is_told_at_once(
    gitlab: GitLab, settings: ServiceSettings, clock: QuickClock
) -> None:
    gitlab.sick = [(429, {"retry-after": "3600"})]
    error = told(settings, clock)
    assert (error.reason, error.retryable, clock.slept) == ("busy", True, [])
    assert "wait 3600 s" in str(error)


def test_a_server_that_stays_sick_or_away_is_given_up(
    gitlab: GitLab, settings: ServiceSettings, clock: QuickClock
) -> None:
    gitlab.sick = [(500, {})] * 4
    assert told(settings, clock).retryable
    assert len(gitlab.asked) == 4
    away = ServiceSettings(settings.home, settings.store, gitlab_url="http://127.0.0.1:9", gitlab_token=Secret(CANARY))
    assert told(away, clock).reason == "unavailable"


def test_a_path_that_climbs_is_refused(settings: ServiceSettings) -> None:
    from snipbench.errors import UsageError

    with pytest.raises(UsageError, match=r"'\.\.' is not allowed"):
        fetch_gitlab(settings, project="data/experiments", path="orders/../../etc/passwd")


def test_an_order_over_http_is_checked_and_taken_in_with_what_lies_beside_it(
    gitlab: GitLab, settings: ServiceSettings
) -> None:
    url = f"{gitlab.url}/files/orders/fetched.yaml?signature=canary"
    digest = hashlib.sha256(ORDER.encode()).hexdigest()
    found = taken_in(settings, fetch_http(settings, url, sha256=digest))
    location = f"{gitlab.url}/files/orders/fetched.yaml"
    assert found["source"] == {"kind": "http", "location": location, "sha256": digest}
    with pytest.raises(SourceError, match=f"its SHA-256 is {digest}, not 000") as changed:
        fetch_http(settings, url, sha256="0" * 64)
    assert changed.value.reason == "changed"
    with pytest.raises(SourceError, match="not there"):
        fetch_http(settings, f"{gitlab.url}/files/none.yaml")


def test_a_file_that_is_missing_beside_the_order_is_a_mistake_with_its_line(
    gitlab: GitLab, settings: ServiceSettings
) -> None:
    del gitlab.files["orders/snippets/frame.py"]
    store = SqliteStore(settings.store)
    for configuration in (
        fetch_http(settings, f"{gitlab.url}/files/orders/fetched.yaml"),
        fetch_gitlab(settings, project="data/experiments", path="orders/fetched.yaml"),
    ):
        with pytest.raises(OrderError, match=r"fetched\.yaml:9:\d+: .*snippets/frame\.py"):
            take_in(store, SystemClock(), configuration, {}, new_ids(SystemClock()))
    assert store.collections() == ()
    store.close()


def test_a_token_goes_to_known_hosts_and_over_https_only(gitlab: GitLab, settings: ServiceSettings) -> None:
    with pytest.raises(SourceError, match="not among the hosts"):
        fetch_http(settings, "http://127.0.0.2/files/x.yaml", token=CANARY)
    open_network = ServiceSettings(settings.home, settings.store, source_hosts=frozenset({"files.example"}))
    with pytest.raises(SourceError, match="over https only"):
        fetch_http(open_network, "http://files.example/x.yaml", token=CANARY)
    assert gitlab.asked == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_is_told_and_never_followed_with_the_token(
    gitlab: GitLab, settings: ServiceSettings, clock: QuickClock, status: int
) -> None:
    with gitlab_server(CANARY) as other:
        for place in (f"{other.url}/api/v4/x?private_token={CANARY}", f"//{other.host}/{CANARY}"):
            gitlab.sick = [(status, {"location": place})]
            moved = told(settings, clock)
            assert moved.reason == "moved"
            assert f"moved to {other.host}/" in str(moved)
        assert other.asked == []


def test_links_and_tokens_that_no_request_can_carry_are_refused(gitlab: GitLab, settings: ServiceSettings) -> None:
    for path in ("\x01", "a b\x7f", "\ud800"):
        with pytest.raises(SourceError, match="the link is no URL") as told:
            fetch_http(settings, f"{gitlab.url}/{path}")
        assert told.value.reason == "refused"
    for token in ("glpat-\xe9", "glpat-\nX: y", "\ud800"):
        with pytest.raises(SourceError, match="a header cannot carry"):
            fetch_gitlab(settings, project="data/experiments", path="orders/fetched.yaml", token=token)
    assert gitlab.asked == []


def test_files_that_are_too_much_together_are_refused(gitlab: GitLab, settings: ServiceSettings) -> None:
    snippets = []
    for number in range(6):
        gitlab.files[f"orders/s{number}.py"] = FILES["orders/snippets/frame.py"] + "#" * 900_000
        snippets.append(f"      - {{name: s{number}, kind: dataframe, file: s{number}.py}}\n")
    gitlab.files["orders/many.yaml"] = ORDER.rpartition("      - {name")[0] + "".join(snippets)
    store = SqliteStore(settings.store)
    clock = SystemClock()
    found = fetch_gitlab(settings, project="data/experiments", path="orders/many.yaml")
    with pytest.raises(OrderError, match=r"at most \d+ characters together"):
        take_in(store, clock, found, {}, new_ids(clock))
    store.close()


def test_what_is_too_large_is_not_read_to_its_end(gitlab: GitLab, settings: ServiceSettings) -> None:
    gitlab.files["orders/large.yaml"] = "#" * (5 * 2**20)
    with pytest.raises(SourceError, match="larger than"):
        fetch_gitlab(settings, project="data/experiments", path="orders/large.yaml")
