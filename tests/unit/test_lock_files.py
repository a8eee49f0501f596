"""What runs is locked in one file, what developers need besides in another."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
DEVELOPERS = "dev"
BUILDS = "setuptools"
PINNED = re.compile(r"^([\w.-]+)==(\S+) \\$", re.MULTILINE)


def locked(name: str) -> dict[str, str]:
    return {canonicalize_name(found): version for found, version in PINNED.findall((ROOT / name).read_text("utf-8"))}


def needed(wanted: Iterable[str]) -> set[str]:
    """The packages that these requirements lead to, as they are installed here."""
    found: set[tuple[str, frozenset[str]]] = set()
    open_ends = [Requirement(text) for text in wanted]
    while open_ends:
        requirement = open_ends.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in found:
            continue
        found.add(key)
        for text in requires(requirement.name) or ():
            further = Requirement(text)
            extras = requirement.extras | {""}
            if further.marker is None or any(further.marker.evaluate({"extra": extra}) for extra in extras):
                open_ends.append(further)
    return {name for name, _ in found}


@pytest.fixture(scope="module")
def asked() -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return {"": project["dependencies"], **project["optional-dependencies"]}


def test_what_runs_needs_nothing_of_the_developers(asked: dict[str, list[str]]) -> None:
    runs = needed([BUILDS, *(text for extra, texts in asked.items() if extra != DEVELOPERS for text in texts)])
    assert runs - set(locked("requirements.lock")) == set()


def test_nothing_is_locked_twice_and_nothing_in_vain(asked: dict[str, list[str]]) -> None:
    runs, besides = locked("requirements.lock"), locked("requirements-dev.lock")
    assert set(runs) & set(besides) == set()
    assert needed(asked[DEVELOPERS]) - set(runs) == set(besides)


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_package_has_hashes_and_no_index_is_named(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert text.count("==") == len(locked(name))
    assert "://" not in text
    for block in re.split(r"\n(?=\S)", text.strip()):
        assert "--hash=sha256:" in block, block
