"""Every broken order gives exactly its mistakes, each at the line where it stands.

A file in ``broken/`` says itself what is wrong with it: ``#! fragment`` at the end of a line stands for a mistake of
that line whose message has the fragment; ``#! LINE:COLUMN: fragment`` or ``#! FILE:LINE: fragment`` on a line of
its own for a mistake that stands elsewhere.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.orders import read_order
from snipbench.errors import OrderError

BROKEN = Path(__file__).parent / "broken"
FILES = sorted(BROKEN.glob("*.yaml"))


def expected(path: Path) -> list[tuple[str, int, int | None, str]]:
    """``(file, line, column if it matters, fragment)`` of each mistake, in the order of the file."""
    found: list[tuple[str, int, int | None, str]] = []
    for number, line in enumerate(path.read_bytes().decode("latin-1").split("\n"), start=1):
        for fragment in (part.strip() for part in line.split("#! ")[1:]):
            in_order = re.match(r"(\d+):(\d+): (.*)", fragment)
            in_file = re.match(r"(\S+\.py):(\d+): (.*)", fragment)
            if in_order:
                found.append((path.name, int(in_order[1]), int(in_order[2]), in_order[3]))
            elif in_file:
                found.append((Path(in_file[1]).name, int(in_file[2]), None, in_file[3]))
            else:
                found.append((path.name, number, None, fragment))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_broken_order_tells_each_mistake_once_at_its_line(path: Path) -> None:
    with pytest.raises(OrderError) as caught:
        read_order(path)
    mistakes = list(caught.value.mistakes)
    wanted = expected(path)
    assert wanted
    told = "\n".join(str(mistake) for mistake in mistakes)
    for file, line, column, fragment in wanted:
        matching = [
            mistake
            for mistake in mistakes
            if Path(mistake.file).name == file
            and mistake.line == line
            and column in {None, mistake.column}
            and fragment in mistake.message
        ]
        assert len(matching) == 1, f"wanted {file}:{line}: {fragment!r}, told:\n{told}"
    assert len(mistakes) == len(wanted), told


def test_there_are_enough_broken_orders() -> None:
    assert len(FILES) >= 45


def test_mistakes_come_in_the_order_of_the_file() -> None:
    with pytest.raises(OrderError) as caught:
        read_order(BROKEN / "many-at-once.yaml")
    lines = [mistake.line for mistake in caught.value.mistakes]
    assert lines == sorted(lines)
    assert len(lines) >= 10
