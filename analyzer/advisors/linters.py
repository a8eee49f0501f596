"""Advice of linters that are installed beside Python: pyspark-antipattern and ruff (extra ``advisors``).

Both are programs of their own that only read the code. A linter that is not installed is a note, not an error.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from analyzer.advisors.port import Brief, Potential
from analyzer.advisors.proposal import Proposal
from snipbench.domain.order import Kind

TIMEOUT_SECONDS = 20.0
RUFF_RULES = "PERF,C4,PLW3301,FURB,RUF005,RUF015,RUF017,SIM118,SIM401,PD"
"""Rules of ruff that are about cost."""

_ANTIPATTERN = re.compile(r"(?m)^(?:error|warning)\[([A-Z]+\d+)\]\[(HIGH|MEDIUM|LOW)\]: (.+)\n\s+--> .*?:(\d+):\d+$")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_POTENTIALS = {"HIGH": Potential.HIGH, "MEDIUM": Potential.MED, "LOW": Potential.LOW}


@dataclass(frozen=True, slots=True)
class Linting:
    """What the linters said, and which of them could not be asked."""

    proposals: tuple[Proposal, ...]
    notes: tuple[str, ...]


def lint(brief: Brief) -> Linting:
    """Ask each linter that knows this kind of snippet."""
    if brief.kind in (Kind.SQL,):
        return Linting((), ())
    proposals: list[Proposal] = []
    notes: list[str] = []
    for name, applies, ask in (
        ("pyspark-antipattern", brief.kind in (Kind.DATAFRAME, Kind.STREAMING), _antipatterns),
        ("ruff", True, _ruff),
    ):
        if not applies:
            continue
        program = _program(name)
        if program is None:
            notes.append(f"{name} is not installed; its advice is missing")
            continue
        try:
            proposals += ask(program, brief.code)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            notes.append(f"{name} failed ({type(error).__name__}); its advice is missing")
    return Linting(tuple(dict.fromkeys(proposals)), tuple(notes))


def _program(name: str) -> str | None:
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.is_file() else shutil.which(name)


def _run(arguments: list[str], code: str) -> str:
    """The program's output about the code, which lies as ``snippet.py`` in an empty folder: no settings are found."""
    with tempfile.TemporaryDirectory(prefix="snipbench-lint-") as folder:
        file = Path(folder) / "snippet.py"
        file.write_text(code, encoding="utf-8", errors="backslashreplace")
        done = subprocess.run(
            [*arguments, file.name],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
            env={"PATH": "", "HOME": folder, "NO_COLOR": "1"},
        )
    if done.returncode not in (0, 1):
        raise subprocess.CalledProcessError(done.returncode, arguments[0])
    return done.stdout


def _antipatterns(program: str, code: str) -> Iterator[Proposal]:
    output = _COLOUR.sub("", _run([program, "check"], code))
    for identifier, severity, text, line in _ANTIPATTERN.findall(output):
        yield Proposal(f"antipattern:{identifier}", f"{text} (line {line}, {identifier})", _POTENTIALS[severity])


def _ruff(program: str, code: str) -> Iterator[Proposal]:
    output = _run(
        [program, "check", "--isolated", "--no-cache", "--preview", "--output-format", "json", "--select", RUFF_RULES],
        code,
    )
    for found in json.loads(output or "[]"):
        identifier = found.get("code")
        if identifier and identifier.isalnum() and not identifier.startswith("invalid"):
            line = found["location"]["row"]
            yield Proposal(f"ruff:{identifier}", f"{found['message']} (line {line}, {identifier})", Potential.LOW)
