"""Read an order: file or submitted text -> a checked, resolved order, or all its mistakes at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.orders.checks import check_order
from orchestrator.orders.code import Codebook, CodePlace
from orchestrator.orders.document import MAX_BYTES, decode, read_document
from orchestrator.orders.effort import Effort
from orchestrator.orders.mistakes import Findings
from orchestrator.orders.resolve import Overrides, resolve
from orchestrator.orders.sources import FolderSources, InlinedSources, Sources
from orchestrator.orders.structure import read_structure
from orchestrator.planning import too_many_runs
from snipbench.domain.order import Order
from snipbench.errors import UsageError

MAX_CODE_CHARACTERS = 6 * 2**20
"""Every snippet's counted, also where several have the same: each carries its own in the order that is stored."""


@dataclass(frozen=True, slots=True)
class LoadedOrder:
    """An order and where it came from."""

    order: Order
    file: str
    """Name of the order's file as given, for messages."""
    path: Path | None
    """The order's file; ``None`` for a submitted text."""
    base: Path | None
    """Folder that names in the order are relative to; ``None`` for a submitted text."""
    text: str
    """The file's text."""
    files: Mapping[str, str]
    """Contents of the snippet files, by the name the order gives them."""
    places: Mapping[tuple[str, str], CodePlace]
    """Where the code and the input of each snippet of the file stand, by experiment and snippet."""


def read_order(
    path: Path, *, warmups: int | None = None, repetitions: int | None = None, seed: int | None = None
) -> LoadedOrder:
    """Read the order file ``path``. ``warmups``, ``repetitions`` and ``seed`` take the place of the file's values.

    Raises:
        OrderError: the file has mistakes; all of them, in file order.
        UsageError: there is no such file, or an override is out of range.
    """
    overrides = _overrides(warmups, repetitions, seed)
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = "is not there" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        raise UsageError(f"order file {str(path)!r} {reason}") from error
    return _load(raw, Findings(str(path)), path, FolderSources(path.parent), overrides)


def parse_order(
    text: str,
    *,
    file_name: str = "order.yaml",
    files: Mapping[str, str] | None = None,
    base: Path | None = None,
    sources: Sources | None = None,
    effort: Effort | None = None,
    warmups: int | None = None,
    repetitions: int | None = None,
    seed: int | None = None,
) -> LoadedOrder:
    """Read an order from its text, with the files it names from ``sources``, ``files`` or the folder ``base``.

    Raises:
        OrderError: the text has mistakes, all of them, in file order; or reading it takes more than the ``effort``.
        UsageError: an override is out of range.
    """
    if sources is None:
        sources = InlinedSources(files or {}) if base is None or files is not None else FolderSources(base)
    return _load(text, Findings(file_name, effort), None, sources, _overrides(warmups, repetitions, seed))


def _load(
    raw: bytes | str, findings: Findings, path: Path | None, sources: Sources, overrides: Overrides
) -> LoadedOrder:
    file = findings.file
    text = decode(raw, findings)
    root = None if text is None else read_document(text, findings)
    if text is None or root is None:
        raise findings.error()
    shape = read_structure(root, findings)
    codebook = Codebook(file, text, sources)
    check_order(root, codebook, overrides, findings)
    if findings or shape is None:
        raise findings.error()
    order = resolve(shape, codebook.codes, overrides)
    if problem := too_many_runs(order) or _too_much_code(order):
        findings.add(root.key_place("experiments"), "experiments", problem)
        raise findings.error()
    return LoadedOrder(
        order=order,
        file=file,
        path=path,
        base=sources.base,
        text=text,
        files=dict(codebook.files),
        places=dict(codebook.places),
    )


def _too_much_code(order: Order) -> str | None:
    """What to say of an order that says too much: one file may be the code of many snippets."""
    snippets = [snippet for experiment in order.experiments for snippet in experiment.snippets]
    characters = sum(len(snippet.code) + len(snippet.input or "") for snippet in snippets)
    if characters <= MAX_CODE_CHARACTERS:
        return None
    return f"the snippets have {characters} characters of code and input; at most {MAX_CODE_CHARACTERS} together"


def _overrides(warmups: int | None, repetitions: int | None, seed: int | None) -> Overrides:
    if warmups is not None and not 0 <= warmups <= 1000:
        raise UsageError(f"warmups must be between 0 and 1000, not {warmups}")
    if repetitions is not None and not 1 <= repetitions <= 10_000:
        raise UsageError(f"repetitions must be between 1 and 10000, not {repetitions}")
    if seed is not None and not 0 <= seed < 2**63:
        raise UsageError(f"seed must be between 0 and 2**63 - 1, not {seed}")
    return Overrides(warmups, repetitions, seed)
