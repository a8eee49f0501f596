"""How alike two snippets are written: the share of words that they have in common."""

from __future__ import annotations

import re

from snipbench.domain.order import Snippet

_WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*|\d+(?:\.\d+)?|[^\sA-Za-z0-9_]+")


def source_words(snippet: Snippet) -> frozenset[str]:
    """Set of words and signs of a snippet's code and input, with its kind."""
    text = f"{snippet.code}\n{snippet.input or ''}"
    return frozenset(_WORD.findall(text.lower())) | {f"kind={snippet.kind.value}"}


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """Size of what they share over the size of both together (Jaccard), 0 to 1; two empty sets are alike."""
    together = len(one | other)
    return len(one & other) / together if together else 1.0
