"""Descriptors that this process holds open."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

KERNEL = ("/proc/", "/sys/")


def of_the_kernel() -> int:
    """How many are open in the kernel's own file systems; others come and go with what earlier tests left running."""
    found = 0
    for path in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found += str(path.readlink()).startswith(KERNEL)
    return found
