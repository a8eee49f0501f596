"""How a clone is made for a container, and the reason that is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator.databases import cloning
from orchestrator.databases.docker.strategies import OverlayTrial, Strategy, choose
from orchestrator.databases.port import Prototype
from snipbench.domain.order import CloneChoice
from snipbench.errors import DatabaseError

GIGABYTE = 10**9


def prototype(size: int) -> Prototype:
    tables = {"small": size // 10, "big": size * 8 // 10}
    return Prototype("key", "hash", Path("/nowhere"), "manifest", "16.1", size, built=False, table_bytes=tables)


def chosen(
    choice: CloneChoice,
    size: int = 2 * GIGABYTE,
    tables: Sequence[str] | None = ("small",),
    *,
    overlay: str | None = None,
) -> Strategy:
    return choose(choice, Path("/tmp"), prototype(size), tables, lambda: overlay)


@pytest.fixture
def no_reflink(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloning, "reflink_refusal", lambda place: "the file system cannot share extents")


@pytest.fixture
def reflink(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloning, "reflink_refusal", lambda place: None)


@pytest.mark.parametrize(
    ("size", "tables", "overlay", "name", "reason"),
    [
        (2 * GIGABYTE, ("small",), None, "overlay", "auto: only 200 MB of 2000 MB are read"),
        (2 * GIGABYTE, ("small", "small"), None, "overlay", "auto: only 200 MB"),
        (2 * GIGABYTE, ("big",), None, "copy", "auto: 1600 MB of 2000 MB are read, which an overlay would copy"),
        (2 * GIGABYTE, None, None, "copy", "auto: 2000 MB of 2000 MB are read"),
        (2 * GIGABYTE, ("a_view",), None, "copy", "auto: 2000 MB of 2000 MB are read"),
        (GIGABYTE // 10, ("small",), None, "copy", "100 MB are copied quickly"),
        (
            2 * GIGABYTE,
            ("small",),
            "no mounts here",
            "copy",
            "cannot share extents, and no mounts",
        ),
    ],
)
@pytest.mark.usefixtures("no_reflink")
def test_auto_weighs_what_will_be_read(
    size: int, tables: tuple[str, ...] | None, overlay: str | None, name: str, reason: str
) -> None:
    strategy = chosen(CloneChoice.AUTO, size, tables, overlay=overlay)
    assert strategy.name == name
    assert reason in strategy.reason


@pytest.mark.usefixtures("reflink")
def test_auto_takes_reflink_where_it_can_be_had() -> None:
    assert chosen(CloneChoice.AUTO).name == "reflink"


@pytest.mark.usefixtures("no_reflink")
def test_what_the_order_asks_for_is_done_or_refused() -> None:
    assert chosen(CloneChoice.OVERLAY).reason == "the order asks for overlay"
    assert chosen(CloneChoice.COPY).name == "copy"
    with pytest.raises(DatabaseError, match="overlay is not to be had: no mounts here; use auto, reflink or copy"):
        chosen(CloneChoice.OVERLAY, overlay="no mounts here")
    with pytest.raises(DatabaseError, match="reflink is not to be had"):
        chosen(CloneChoice.REFLINK)


@pytest.mark.parametrize("sure", [None, "the home's path has ',' in it"])
def test_what_is_sure_of_overlays_is_tried_once_and_an_error_of_the_engine_again(sure: str | None) -> None:
    answers: list[str | DatabaseError | None] = [DatabaseError("busy"), DatabaseError("no such image"), sure]
    asked: list[str] = []

    def attempt(image_id: str) -> str | None:
        asked.append(image_id)
        answer = answers.pop(0)
        if isinstance(answer, DatabaseError):
            raise answer
        return answer

    trial = OverlayTrial(attempt)
    assert trial.refusal("a") == "the engine mounted no overlay this time (busy)"
    assert trial.refusal("b") == "the engine mounted no overlay this time (no such image)"
    assert [trial.refusal(image) for image in "cde"] == [sure] * 3
    assert asked == ["a", "b", "c"]
