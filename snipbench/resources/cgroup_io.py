"""Bytes that the processes of a control group read from and wrote to storage."""

from __future__ import annotations

from collections.abc import Sequence

from snipbench.resources.proc_file import ProcessFile, ProcessGone, descriptor_budget


class GroupIo:
    """Sums ``/proc/PID/io``, in which the kernel adds what a reaped child used to its parent's.

    Between a child's end and its being waited for its share is in no sum, so the sums are kept from going down here.
    What a process used whose parent is outside of the group (a command that Docker executes in a container) is lost
    with it, within that maximum.
    """

    def __init__(self) -> None:
        self._files: dict[int, ProcessFile] = {}
        self._most = (0, 0)
        self._budget = descriptor_budget()

    def read(self, processes: Sequence[int]) -> tuple[int, int] | None:
        """Bytes read and written so far; ``None`` where the kernel refuses to tell.

        Args:
            processes: ids in rising order, so that a parent is read before its children: one that ends in between is
                left out for the moment, not counted twice.
        """
        for ended in self._files.keys() - set(processes):
            self._files.pop(ended).close()
        read = written = 0
        for pid in processes:
            file = self._files.get(pid) or self._opened(pid)
            try:
                used = file.io_bytes()
            except ProcessGone:
                self._files.pop(pid).close()
                continue
            if used is None:
                return None
            read += used[0]
            written += used[1]
        self._most = max(self._most[0], read), max(self._most[1], written)
        return self._most

    def close(self) -> None:
        """Give the descriptors back."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _opened(self, pid: int) -> ProcessFile:
        self._files[pid] = ProcessFile(pid, keep=len(self._files) < self._budget)
        return self._files[pid]
