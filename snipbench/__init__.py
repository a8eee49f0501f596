"""snipbench: which snippet is really faster, what does it cost, will the next one be slow, can a machine better it?

The kernel that all parts share, and the public Python API: :func:`run`, :func:`profile`.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "profile", "run"]


def __getattr__(name: str) -> Any:
    """Load the public names when they are first used, so that importing the kernel stays cheap."""
    if name == "profile":
        from snipbench.profiling import profile

        return profile
    if name == "run":
        from snipbench.api import run

        return run
    raise AttributeError(f"module 'snipbench' has no attribute {name!r}")
