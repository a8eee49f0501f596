"""Archives are made once, used where they are there, and never in the way."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from snipbench import class_archive
from snipbench.errors import MachineError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with a java of its own, and a module that pretends to run it."""
    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\n")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "a venv"))
    (tmp_path / "making.py").write_text(
        "import pathlib, sys\n"
        "if sys.argv[2] == 'fail': sys.exit('it went wrong')\n"
        "pathlib.Path(sys.argv[1], 'archive.jsa').write_text(sys.argv[2])\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def test_it_is_made_once_and_then_used(home: Path) -> None:
    assert class_archive.options("session") == ""
    class_archive.make("session", "making", ["first"])
    class_archive.make("session", "making", ["second"])
    path = class_archive.location("session")
    assert path is not None
    assert path.read_text() == "first"
    assert shlex.split(class_archive.options("session"))[0] == f"-XX:SharedArchiveFile={path}"
    assert class_archive.options("landing") == ""


def test_another_java_has_another_archive(home: Path) -> None:
    before = class_archive.location("session")
    (home / "jdk" / "bin" / "java").write_text("#!/bin/sh\n# newer\n")
    assert class_archive.location("session") != before


def test_what_failed_leaves_nothing_and_says_why(home: Path) -> None:
    with pytest.raises(MachineError, match=r"session: exit code 1: it went wrong"):
        class_archive.make("session", "making", ["fail"])
    assert not list((home / "a venv").rglob("*.*"))


def test_without_java_there_is_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(home / "nowhere"))
    assert class_archive.options("session") == ""
    with pytest.raises(MachineError, match="no java"):
        class_archive.make("session", "making", ["first"])


@pytest.mark.spark
def test_a_jvm_goes_on_without_an_archive_that_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    path = class_archive.location("session")
    assert path is not None
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no archive" * 1000)
    options = shlex.split(class_archive.options("session"))
    done = subprocess.run(["java", *options, "-version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
