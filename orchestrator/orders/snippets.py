"""Checks of one experiment's snippets: names, relatives, keys by kind, code, result types, parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.orders.code import Codebook, TextPlace
from orchestrator.orders.document import Node
from orchestrator.orders.kinds import INHERITED_KEYS, KEYS_OF_SOME_KINDS, KIND_KEYS, takes
from orchestrator.orders.mistakes import Findings, choices, hint
from orchestrator.orders.python_code import (
    CodeProblem,
    EntrySignature,
    MissingEntry,
    column_problem,
    entry_of,
    keyword_problems,
    parse_python,
)
from orchestrator.orders.spark_types import schema_problem, type_problem
from orchestrator.orders.sql_code import Tokens, column_count, placeholders, query_problem, tokens, unknown_views
from snipbench.domain.order import Kind
from snipbench.errors import Mistake


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an experiment gives its snippets, as far as it could be read."""

    parameters: tuple[str, ...]
    views: tuple[str, ...] | None
    """``None`` if the tables could not all be read."""


def check_snippets(
    experiment: Node, index: int, surroundings: Surroundings, codebook: Codebook, findings: Findings
) -> set[str] | None:
    """Report the mistakes of an experiment's snippets.

    Returns:
        The parameters that its snippets use; ``None`` if that could not be told of all snippets.
    """
    checker = _Checker(experiment, surroundings, codebook, findings)
    used: set[str] | None = set()
    for inner, snippet in enumerate(experiment.items("snippets")):
        if not isinstance(snippet.value, dict):
            used = None
            continue
        uses = checker.check(snippet, (index, inner))
        used = _both(used, uses)
    return used


class _Checker:
    def __init__(self, experiment: Node, surroundings: Surroundings, codebook: Codebook, findings: Findings) -> None:
        self._experiment = experiment.text("name") or ""
        self._surroundings = surroundings
        self._codebook = codebook
        self._findings = findings
        self._by_name: dict[str, Node] = {}
        for snippet in experiment.items("snippets"):
            name = snippet.text("name")
            if name is None:
                continue
            if name in self._by_name:
                node = snippet.children["name"]
                first = self._by_name[name].children["name"].place.line
                findings.add(node.place, node.path, f"snippet {name!r} stands twice; first in line {first}")
            else:
                self._by_name[name] = snippet

    def check(self, snippet: Node, indexes: tuple[int, int]) -> set[str] | None:
        """Check one snippet; the parameters it uses, ``None`` if that cannot be told."""
        self._findings.effort.check()
        baseline = self._baseline(snippet)
        place = self._codebook.take(indexes, self._experiment, snippet, self._findings)
        kind = _kind(snippet)
        if kind is None:
            return None
        self._keys(snippet, baseline, kind)
        self._returns(snippet, kind)
        used: set[str] | None = set()
        own_input = snippet.get("input")
        if own_input is not None and isinstance(own_input.value, str) and takes(kind, "input"):
            used = self._query(own_input.value, self._codebook.place_of(own_input), own_input)
        elif takes(kind, "input") and baseline is not None:
            inherited = _effective(snippet, baseline, "input") or ""
            used = {found.name for found in placeholders(inherited, self._tokens(inherited))}
        if place is None:
            return None
        code = self._codebook.codes[indexes]
        leads = snippet.get("file") or snippet.get("code") or snippet
        if kind is Kind.SQL:
            return _both(used, self._query(code, place, leads))
        return _both(used, self._python(snippet, baseline, kind, code, place, leads))

    def _baseline(self, snippet: Node) -> Node | None:
        node = snippet.get("variant_of")
        if node is None or not isinstance(node.value, str):
            return None
        name, own = node.value, snippet.text("name")
        baseline = self._by_name.get(name)
        if name == own:
            self._findings.add(node.place, node.path, f"{name!r} cannot be a variant of itself")
            return None
        if baseline is None:
            others = [other for other in self._by_name if other != own]
            self._findings.add(
                node.place, node.path, f"{name!r} is no snippet of this experiment{hint(name, others, what='snippets')}"
            )
            return None
        if baseline.get("variant_of") is not None:
            true = baseline.text("variant_of")
            self._findings.add(
                node.place, node.path, f"{name!r} is a variant itself; name its baseline {true!r} instead"
            )
            return None
        return baseline

    def _keys(self, snippet: Node, baseline: Node | None, kind: Kind) -> None:
        for key in sorted(KEYS_OF_SOME_KINDS & snippet.keys.keys()):
            if not takes(kind, key):
                having = choices(sorted(other.value for other in Kind if takes(other, key)))
                self._findings.add(
                    snippet.key_place(key),
                    snippet.below(key),
                    f"kind {kind.value!r} takes no key {key!r} (kinds that do: {having})",
                )
        if "variant_of" in snippet.keys and baseline is None:
            return  # what it would inherit is not known
        for key in sorted(KIND_KEYS[kind].required):
            if key not in snippet.keys and (baseline is None or key not in baseline.keys):
                inherited = "" if baseline is None else f", and its baseline {baseline.text('name')!r} has none"
                self._findings.add(snippet.place, snippet.below(key), f"kind {kind.value!r} needs {key!r}{inherited}")

    def _returns(self, snippet: Node, kind: Kind) -> None:
        node = snippet.get("returns")
        if node is None or not isinstance(node.value, str) or not takes(kind, "returns"):
            return
        problem = schema_problem(node.value) if kind is Kind.BARRIER else type_problem(node.value)
        if problem is not None:
            self._findings.add(node.place, node.path, problem)

    def _query(self, text: str, place: TextPlace, leads: Node) -> set[str] | None:
        """Check a query; the parameters it names, ``None`` if it cannot be read."""
        read = self._tokens(text)
        problem = query_problem(text, read)
        if problem is not None:
            self._tell([problem], place, leads)
            return None
        known = self._surroundings.parameters
        found = placeholders(text, read)
        self._tell(
            (
                CodeProblem(
                    item.line,
                    item.column,
                    f"':{item.name}' is no parameter of the experiment{hint(item.name, known, what='parameters')}",
                )
                for item in found
                if item.name not in known
            ),
            place,
            leads,
        )
        if self._surroundings.views is not None:
            self._tell(unknown_views(text, self._surroundings.views), place, leads)
        return {item.name for item in found}

    def _tokens(self, query: str) -> Tokens:
        self._findings.effort.check(query)
        return tokens(query)

    def _python(
        self,
        snippet: Node,
        baseline: Node | None,
        kind: Kind,
        code: str,
        place: TextPlace,
        leads: Node,
    ) -> set[str] | None:
        """Check Python code; the parameters its entry takes, ``None`` if that cannot be told."""
        self._findings.effort.check(code)
        module = parse_python(code)
        if isinstance(module, CodeProblem):
            self._tell([module], place, leads)
            return None
        entry = snippet.text("entry") or "run"
        signature = self._entry(module, entry, snippet, place, leads)
        if kind.is_udf:
            self._columns(signature, entry, _effective(snippet, baseline, "input"), place, leads)
            return set()
        if signature is None:
            return None
        leading = _leading(kind, _effective(snippet, baseline, "input") is not None)
        parameters = self._surroundings.parameters
        self._tell(keyword_problems(signature, entry, leading, parameters), place, leads)
        named = {*signature.positional[leading:], *signature.keyword_only}
        return set(parameters) if signature.any_keyword else named & set(parameters)

    def _entry(
        self, module: ast.Module, entry: str, snippet: Node, place: TextPlace, leads: Node
    ) -> EntrySignature | None:
        found = entry_of(module, entry)
        if isinstance(found, CodeProblem):
            if isinstance(found, MissingEntry) and "entry" in snippet.keys:
                node = snippet.get("entry") or snippet
                self._findings.add(node.place, node.path, found.message)
            else:
                self._tell([found], place, leads)
            return None
        return found

    def _columns(
        self, signature: EntrySignature | None, entry: str, query: str | None, place: TextPlace, leads: Node
    ) -> None:
        if signature is None or query is None or query_problem(query, self._tokens(query)) is not None:
            return
        columns = column_count(query)
        problem = None if columns is None else column_problem(signature, entry, columns)
        if problem is not None:
            self._tell([problem], place, leads)

    def _tell(self, problems: Iterable[CodeProblem], place: TextPlace, leads: Node) -> None:
        for problem in problems:
            file, line, column = place.at(problem.line, problem.column)
            self._findings.add_elsewhere(leads.place, Mistake(file, line, column, leads.path, problem.message))


def _both(used: set[str] | None, more: set[str] | None) -> set[str] | None:
    """The parameters that two parts use; ``None`` if that cannot be told of both."""
    return None if used is None or more is None else used | more


def _kind(snippet: Node) -> Kind | None:
    try:
        return Kind(snippet.text("kind") or "")
    except ValueError:
        return None  # told as a mistake of structure


def _effective(snippet: Node, baseline: Node | None, key: str) -> str | None:
    """A key's text, the baseline's where the snippet inherits it."""
    if key not in snippet.keys and baseline is not None and key in INHERITED_KEYS:
        return baseline.text(key)
    return snippet.text(key)


def _leading(kind: Kind, has_input: bool) -> int:
    """How many positional values the entry of that kind gets before the parameters by name."""
    if kind is Kind.BARRIER:
        return 2
    if kind is Kind.FUNCTION:
        return int(has_input)
    return 1


def names_twice(nodes: Sequence[Node], key: str | None = "name") -> Iterator[tuple[Node, str, int]]:
    """``(node, name, line of the first)`` of every name that an earlier node has already."""
    first: dict[str, int] = {}
    for node in nodes:
        child = node.get(key) if key is not None and isinstance(node.value, dict) else node
        if child is None or not isinstance(child.value, str):
            continue
        if child.value in first:
            yield child, child.value, first[child.value]
        else:
            first[child.value] = child.place.line
