"""Regular expressions of Python -> of Java, written anew from the parsed pattern where both surely agree."""

from __future__ import annotations

import re
import string
import sys
from functools import cache
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from analyzer.advisors.native.values import Refused

_AS_IT_IS = frozenset(string.ascii_letters + string.digits + " ")
_ASCII_CLASSES = {
    "CATEGORY_DIGIT": "0-9",
    "CATEGORY_SPACE": r"\x{9}-\x{d}\x{20}",
    "CATEGORY_WORD": "a-zA-Z0-9_",
}
_ANCHORS = {"AT_BEGINNING": r"\A", "AT_BEGINNING_STRING": r"\A", "AT_END": r"(?=\x{a}?\z)", "AT_END_STRING": r"\z"}


def java_pattern(pattern: re.Pattern[str]) -> str:
    """The same pattern for Java.

    Raises:
        Refused: a construct on which the two differ, or that is not known here.
    """
    allowed = re.UNICODE | re.ASCII
    if pattern.flags & ~allowed:
        raise Refused("flags of a regular expression other than re.ASCII")
    return _Writer(ascii_only=bool(pattern.flags & re.ASCII)).sequence(_parsed(pattern))


def can_be_empty(pattern: re.Pattern[str]) -> bool:
    """Whether the pattern can match the empty text."""
    return int(_parsed(pattern).getwidth()[0]) == 0


def _parsed(pattern: re.Pattern[str]) -> Any:
    return parser.parse(pattern.pattern, pattern.flags)


class _Writer:
    def __init__(self, *, ascii_only: bool) -> None:
        self._ascii = ascii_only

    def sequence(self, items: Any) -> str:
        return "".join(self._item(code, argument) for code, argument in items)

    def _item(self, code: Any, argument: Any) -> str:
        match str(code):
            case "LITERAL":
                text = _character(argument)
            case "NOT_LITERAL":
                text = f"[^{_character(argument)}]"
            case "IN":
                text = self._class(argument)
            case "MAX_REPEAT" | "MIN_REPEAT":
                low, high, inner = argument
                most = "" if high is codes.MAXREPEAT else str(high)
                lazy = "?" if str(code) == "MIN_REPEAT" else ""
                text = f"(?:{self.sequence(inner)}){{{low},{most}}}{lazy}"
            case "SUBPATTERN":
                _, add, remove, inner = argument
                if add or remove:
                    raise Refused("flags inside a regular expression")
                text = f"(?:{self.sequence(inner)})"
            case "BRANCH":
                text = "(?:" + "|".join(self.sequence(branch) for branch in argument[1]) + ")"
            case "AT" if str(argument) in _ANCHORS:
                text = _ANCHORS[str(argument)]
            case other:
                raise Refused(f"{other.lower()} in a regular expression, where Python and Java differ")
        return text

    def _class(self, items: Any) -> str:
        negated, parts = False, []
        for code, argument in items:
            match str(code):
                case "NEGATE":
                    negated = True
                case "LITERAL":
                    parts.append(_character(argument))
                case "RANGE":
                    parts.append(f"{_character(argument[0])}-{_character(argument[1])}")
                case "CATEGORY":
                    parts.append(self._category(str(argument)))
                case other:
                    raise Refused(f"{other.lower()} in a class of a regular expression")
        return f"[{'^' if negated else ''}{''.join(parts)}]"

    def _category(self, name: str) -> str:
        if self._ascii and name in _ASCII_CLASSES:
            return _ASCII_CLASSES[name]
        if name == "CATEGORY_DIGIT":
            return _ranges(str.isdecimal.__name__)
        if name == "CATEGORY_SPACE":
            return _ranges(str.isspace.__name__)
        raise Refused("\\w or a negated class in a regular expression without re.ASCII, where Python and Java differ")


def _character(code: int) -> str:
    if 0xD800 <= code <= 0xDFFF:
        raise Refused("half a surrogate pair in a regular expression")
    character = chr(code)
    if character in _AS_IT_IS:
        return character
    return f"\\x{{{code:x}}}"


@cache
def _ranges(test: str) -> str:
    """All characters that pass a test of Python's texts, as ranges: Python's own Unicode tables, not Java's."""
    found: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        if getattr(chr(code), test)():
            if found and found[-1][1] == code - 1:
                found[-1][1] = code
            else:
                found.append([code, code])
    return "".join(f"\\x{{{low:x}}}-\\x{{{high:x}}}" if low < high else f"\\x{{{low:x}}}" for low, high in found)
