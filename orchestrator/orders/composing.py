"""YAML text -> ruamel's nodes; no more of them than an order needs, since each costs a tenth of a millisecond."""

from __future__ import annotations

from functools import partial
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError, MaxDepthExceededError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from orchestrator.orders.document import MAX_DEPTH
from orchestrator.orders.effort import Effort
from orchestrator.orders.mistakes import Findings, Place

MAX_NODES = 25_000
"""Values and keys as they are written; some two thousand snippets have as many."""
BETWEEN_CHECKS = 500


class _TooMany(ComposerError):
    """More nodes than an order may have."""


class _Bounded(Composer):
    """Stops at the first node that is too many, instead of making a tree of all of them before they are counted."""

    def __init__(self, loader: Any, effort: Effort) -> None:
        super().__init__(loader=loader)
        self.warn_double_anchors = False  # YAML lets a name be given again; a warning would be no line of a log
        self._effort = effort
        self._composed = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """See the base."""
        self._composed += 1
        if self._composed > MAX_NODES:
            raise _TooMany(None, None, "too many", self.parser.peek_event().start_mark)
        if self._composed % BETWEEN_CHECKS == 0:
            self._effort.check()
        return super().compose_node(parent, index)


def compose(text: str, findings: Findings) -> Any | None:
    """The root node; ``None`` if there is none (then ``findings`` says why).

    Raises:
        OrderError: the effort is used up.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = 2 * MAX_DEPTH  # what is in between is told with its path
    yaml.Composer = partial(_Bounded, effort=findings.effort)  # type: ignore[assignment]  # it is called, no more
    try:
        root = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark is not None else Place(1, 1)
        findings.add(place, "", _explain(error, text, place))
        return None
    except RecursionError:
        findings.add(Place(1, 1), "", _TOO_DEEP)
        return None
    except YAMLError as error:
        # The reader's errors (control characters) carry a position in the text instead of a mark.
        position = getattr(error, "position", 0)
        before = text[:position]
        place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
        character = getattr(error, "character", None)
        shown = f"character U+{character:04X}" if isinstance(character, int) else "a character"
        findings.add(place, "", f"{shown} is not allowed in YAML")
        return None
    if root is None:
        findings.add(Place(1, 1), "", "the file is empty; `snipbench init` writes an order to start from")
    return root


_TOO_DEEP = f"values are nested too deeply; at most {MAX_DEPTH} levels"


def _explain(error: Any, text: str, place: Place) -> str:
    if isinstance(error, _TooMany):
        return f"more than {MAX_NODES} values and keys; an order has no more"
    if isinstance(error, MaxDepthExceededError):
        return _TOO_DEEP
    problem = error.problem or error.context or "not YAML"
    lines = text.splitlines()
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    if "\t" in line[: place.column]:
        return "a tab; YAML is indented with spaces only"
    if "another document" in problem:
        return "a second document; an order file holds one (remove the line ---)"
    if "undefined alias" in problem:
        return f"not YAML: {problem}; a value that starts with * stands in quotes"
    return f"not YAML: {problem}"
