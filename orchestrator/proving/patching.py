"""An accepted rewrite as a unified patch of what the user wrote."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from analyzer.advisors.port import as_variant
from analyzer.proof.documents import SUGGESTIONS, advised
from analyzer.proof.steps import Verdict
from orchestrator.orders import parse_order
from orchestrator.proving.order_edit import with_code, with_variant
from snipbench import records
from snipbench.domain.order import Order, Role, Snippet
from snipbench.domain.task import OrderRecord
from snipbench.errors import OrderError, UsageError
from snipbench.store.port import Document, DocumentStore

_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Patch:
    """A unified diff of one file, as ``patch -p1`` and ``git apply`` take it in the folder ``root``."""

    file: Path
    root: Path
    text: str
    note: str


@dataclass(frozen=True, slots=True)
class _Source:
    """A file that the user wrote, as it is: with its byte order mark and ends of lines."""

    file: Path
    written: str

    @classmethod
    def of(cls, file: Path) -> _Source:
        try:
            with file.open(encoding="utf-8", newline="") as opened:
                return cls(file, opened.read())
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read {str(file)!r}: {error}") from error

    def is_still(self, text: str) -> bool:
        """Whether it says what was read then."""
        return _plain(self.written) == _plain(text)

    def like(self, text: str) -> str:
        """``text`` with this file's byte order mark and ends of lines."""
        ended = _plain(text).replace("\n", "\r\n") if "\r\n" in self.written else _plain(text)
        return _MARK + ended if self.written.startswith(_MARK) else ended


def patch_of(store: DocumentStore, suggestion_id: str, *, force: bool = False, near: Path | None = None) -> Patch:
    """The patch that a suggestion comes to.

    A rewrite of the same kind takes the place of the snippet's code. One of another kind, with other keys, or of a file
    that other snippets use as well, is added to the order as a variant: nothing that was measured disappears.

    Args:
        store: where the suggestion is.
        suggestion_id: which.
        force: also if it was not verified.
        near: folder that the patch's paths are relative to, where the file lies below it; else the order's.

    Raises:
        UsageError: there is no such suggestion, it has no code, was not verified, or the files are not what was
            measured any more.
    """
    document = store.get(SUGGESTIONS, suggestion_id)
    if document is None:
        raise UsageError(f"there is no suggestion {suggestion_id!r}; `snipbench suggest TASK` lists those of a task")
    if document["code"] is None:
        raise UsageError(f"suggestion {suggestion_id} is advice in words only; there is nothing to apply")
    if document["verdict"] != Verdict.VERIFIED and not force:
        raise UsageError(
            f"suggestion {suggestion_id} was not verified ({document['verdict'] or 'not proved'}: "
            f"{document['evidence']}); --force applies it all the same"
        )
    record = _record(store, document)
    path = Path(record.file)
    source = _Source.of(path)
    if not source.is_still(record.text):
        raise UsageError(f"{path} was changed after it was measured; run it again, then apply what that suggests")
    original = record.order.experiment(document["experiment"]).snippet(document["snippet"])
    variant = _variant(document, record.order, original)
    if _takes_the_place(record.order, original, variant):
        note = f"the code of {original.name} is replaced"
        if original.file is not None:
            file = path.parent / original.file
            code = _Source.of(file)
            if not code.is_still(original.code):
                raise UsageError(f"{file} was changed after it was measured; run the order again")
            return _patch(code, path.parent, variant.code, note, near)
        after = with_code(_plain(record.text), document["experiment"], original.name, variant.code)
    else:
        note = f"the rewrite is added as the variant {variant.name} of {variant.baseline}"
        after = with_variant(_plain(record.text), document["experiment"], original.name, variant)
    _check(after, path)
    return _patch(source, path.parent, after, note, near)


def _record(store: DocumentStore, document: Document) -> OrderRecord:
    task = store.get("tasks", document["task_id"])
    order = None if task is None else store.get("orders", task["order_id"])
    if order is None:
        raise UsageError(f"the order of task {document['task_id']} is not in the store")
    return records.order_from_document(order)


def _variant(document: Document, order: Order, original: Snippet) -> Snippet:
    taken = {snippet.name for snippet in order.experiment(document["experiment"]).snippets}
    names = (f"{original.name}-improved{number or ''}" for number in (0, *range(2, 1000)))
    made = as_variant(advised(document), original, name=next(name for name in names if name not in taken))
    if made is None:
        raise UsageError(f"suggestion {document['suggestion_id']} has no code")
    return made.model_copy(update={"variant_of": original.baseline})


def _takes_the_place(order: Order, original: Snippet, variant: Snippet) -> bool:
    same = (variant.kind, variant.entry, variant.returns) == (original.kind, original.entry, original.returns)
    users = sum(
        snippet.file == original.file and snippet.role is not Role.FLOOR
        for experiment in order.experiments
        for snippet in experiment.snippets
    )
    return same and (original.file is None or users == 1)


def _check(text: str, path: Path) -> None:
    """The patched order must still be one."""
    try:
        parse_order(text, file_name=str(path), base=path.parent)
    except OrderError as error:
        raise UsageError(f"the patched order would not be accepted, so no patch is written:\n{error}") from error


def _patch(source: _Source, folder: Path, after: str, note: str, near: Path | None) -> Patch:
    file = source.file.resolve()  # what a link leads to is what is changed
    roots = (near, folder, file.parent)
    root = next(each for each in roots if each is not None and file.is_relative_to(each.resolve()))
    name = file.relative_to(root.resolve()).as_posix()
    end = "\t" if " " in name else ""  # as git ends a name with spaces
    lines = difflib.unified_diff(_lines(source.written), _lines(source.like(after)), f"a/{name}{end}", f"b/{name}{end}")
    ended = (line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
    return Patch(source.file, root, "".join(ended), note)


def _plain(text: str) -> str:
    return text.removeprefix(_MARK).replace("\r\n", "\n").replace("\r", "\n")


def _lines(text: str) -> list[str]:
    """Lines as programs that apply patches know them: ended by a line feed and nothing else."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)
