"""Which threads of this process run. Little is imported: the profiler is loaded by every worker."""

from __future__ import annotations

import os
import threading


def is_main_thread() -> bool:
    return threading.get_ident() == threading.main_thread().ident


def is_only_thread() -> bool:
    """Whether all other threads of this process have ended; one that forked it stays listed, as a zombie."""
    own = threading.get_native_id()
    try:
        others = [each for each in os.listdir("/proc/self/task") if each != str(own)]  # noqa: PTH208
    except OSError:
        return not threading.main_thread().is_alive()
    return all(_has_ended(each) for each in others)


def _has_ended(thread_id: str) -> bool:
    try:
        with open(f"/proc/self/task/{thread_id}/stat", "rb") as file:  # noqa: PTH123 - pathlib is not imported here
            return file.read().rpartition(b")")[2].split()[0] in b"ZX"
    except OSError:
        return True
