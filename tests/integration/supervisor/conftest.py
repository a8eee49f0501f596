"""How the supervisor's tests start their fake child."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from executor.supervisor import Supervisor

CHILD = Path(__file__).parent / "children" / "fake_child.py"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def spawn() -> Callable[..., Supervisor]:
    """Supervisor of a fake child; not yet started."""

    def make(*arguments: str, env: Mapping[str, str] | None = None, **options: object) -> Supervisor:
        environment = os.environ | {"PYTHONPATH": str(ROOT)} | (env or {})
        return Supervisor([sys.executable, str(CHILD), *arguments], env=environment, **options)

    return make


@pytest.fixture
def child_script() -> Path:
    """The fake child's file."""
    return CHILD
