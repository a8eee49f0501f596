"""What earlier monitors left on disk, because they were killed or the store was not back in time -> store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from monitor.events import EventKind
from monitor.segment import Piece, read_segment, segments
from monitor.writer import COLLECTION
from snipbench.errors import StoreError
from snipbench.owned_folder import OwnedFolder
from snipbench.store.port import DocumentStore

BATCH_SIZE = 500


class Leftovers:
    """Sends what lies in a spool's folder and belongs to nobody who lives.

    Samples that the store has already are left as they are there, so nothing is twice however often this is cut.

    Args:
        root: folder of the spools of all monitors; it need not exist.
        store: takes the samples.
        report: takes kind, target (always ``None``), message of an event.
    """

    def __init__(self, root: Path, store: DocumentStore, report: Callable[[EventKind, str | None, str], None]) -> None:
        self._root = root
        self._store = store
        self._report = report

    def send(self) -> int:
        """Samples that were sent, oldest monitor first. What the store does not take now stays where it is."""
        sent = 0
        try:
            for path in sorted(self._root.glob("*/")):
                folder = OwnedFolder.adopt(path)
                if folder is not None:
                    try:
                        sent += self._send_folder(folder.path)
                    finally:
                        folder.leave()
        except (StoreError, OSError) as error:
            self._report(EventKind.SPOOL_LEFT, None, f"samples of an earlier monitor wait on: {error}")
        return sent

    def _send_folder(self, folder: Path) -> int:
        sent = 0
        for path in segments(folder):
            try:
                for piece in read_segment(path, BATCH_SIZE):
                    sent += self._send_piece(piece, path)
            except (ValueError, OSError) as error:
                self._report(EventKind.SPOOL_TORN, None, f"{path.name} of {folder.name} is left alone: {error}")
                continue
            path.unlink()
        if sent:
            self._report(EventKind.SPOOL_SENT, None, f"{sent} samples that an earlier monitor left ({folder.name})")
        return sent

    def _send_piece(self, piece: Piece, path: Path) -> int:
        """How many of them the store took.

        Raises:
            StoreError: the store is away.
        """
        if piece.torn:
            whole = len(piece.documents)
            message = f"{path.name} of {path.parent.name}: {piece.torn} torn lines are left out; {whole} samples beside"
            self._report(EventKind.SPOOL_TORN, None, f"{message} them are kept")
        try:
            self._store.insert(COLLECTION, piece.documents)
        except StoreError as error:
            if error.retryable:
                raise
            self._report(EventKind.SAMPLES_LOST, None, f"{len(piece.documents)} samples: {error}")
            return 0
        return len(piece.documents)
