"""The code of an order's snippets, inline or from files, and where each line of it stands."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.orders.document import Node
from orchestrator.orders.mistakes import Findings
from orchestrator.orders.sources import Sources
from snipbench.errors import UsageError


@dataclass(frozen=True, slots=True)
class TextPlace:
    """Where a text that stands in a file begins.

    ``step`` is 1 where a line of the text is a line of the file (a file of its own, a block after ``|``), else 0.
    """

    file: str
    line: int
    column: int
    step: int

    def at(self, line: int, column: int = 1) -> tuple[str, int, int]:
        """File, line and column of a place in the text (both counted from 1)."""
        if self.step:
            return self.file, self.line + line - 1, self.column + column - 1
        return self.file, self.line, self.column


@dataclass(frozen=True, slots=True)
class CodePlace:
    """Where a snippet's code and its own input stand."""

    code: TextPlace
    input: TextPlace | None


class Codebook:
    """Codes by the indexes of experiment and snippet; places by their names; contents of files by name."""

    def __init__(self, order_file: str, order_text: str, sources: Sources) -> None:
        self.sources = sources
        self.codes: dict[tuple[int, int], str] = {}
        self.places: dict[tuple[str, str], CodePlace] = {}
        self.files: dict[str, str] = {}
        self._order_file = order_file
        self._lines = order_text.splitlines()

    def take(self, indexes: tuple[int, int], experiment: str, snippet: Node, findings: Findings) -> TextPlace | None:
        """Take in one snippet's code. ``None`` if it has none; ``findings`` then says why."""
        inline, file = snippet.get("code"), snippet.get("file")
        if (inline is None) == (file is None):
            words = "code and file; one of them is enough" if inline else "neither code nor file; one is needed"
            findings.add(snippet.place, snippet.path, f"snippet has {words}")
            return None
        place: TextPlace
        if inline is not None:
            if not isinstance(inline.value, str):
                return None
            if not inline.value.strip():
                findings.add(inline.place, inline.path, "the code is empty")
                return None
            self.codes[indexes] = inline.value
            place = self.place_of(inline)
        else:
            assert file is not None
            text = self._read(file, findings)
            if text is None:
                return None
            self.codes[indexes] = text
            place = TextPlace(self._shown(str(file.value)), 1, 1, 1)
        name = snippet.text("name")
        if name is not None:
            own_input = snippet.get("input")
            self.places[experiment, name] = CodePlace(place, self.place_of(own_input) if own_input else None)
        return place

    def place_of(self, node: Node) -> TextPlace:
        """Where a text of the order itself begins."""
        if node.style == "|":
            first = next((line for line in self._lines[node.place.line :] if line.strip()), "")
            indent = len(first) - len(first.lstrip(" "))
            return TextPlace(self._order_file, node.place.line + 1, indent + 1, 1)
        return TextPlace(self._order_file, node.place.line, node.place.column, 0)

    def _read(self, file: Node, findings: Findings) -> str | None:
        if not isinstance(file.value, str) or not file.value:
            return None
        if file.value not in self.files:
            try:
                self.files[file.value] = self.sources.read(file.value)
            except UsageError as error:
                findings.add(file.place, file.path, str(error))
                return None
        if not self.files[file.value].strip():
            findings.add(file.place, file.path, f"file {file.value!r} is empty")
            return None
        return self.files[file.value]

    def _shown(self, name: str) -> str:
        """A named file as a person finds it: beside the order file as that was given."""
        from pathlib import PurePath

        return str(PurePath(self._order_file).parent / name) if self.sources.base is not None else name
