"""How much longer ``snipbench --help`` takes than an interpreter that does nothing."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from benchmarks.result import Goal, NotMeasured, Row
from snipbench.statistics import median_interval

PAIRS = 20
SEED = 7
GOAL = Goal(at_most=0.3)


def run() -> Sequence[Row]:
    """Pairs in random order within the pair; the first of each is thrown away, as it fills the caches."""
    commands = {"help": [*_snipbench(), "--help"], "pass": [sys.executable, "-c", "pass"]}
    for command in commands.values():
        _seconds(command)
    chance = random.Random(SEED)
    pairs = []
    for _ in range(PAIRS):
        order = chance.sample(list(commands), k=2)
        pairs.append({name: _seconds(commands[name]) for name in order})
    extra = median_interval([pair["help"] - pair["pass"] for pair in pairs])
    bare = median_interval([pair["pass"] for pair in pairs])
    return (
        Row(
            "`snipbench --help` beyond `python -c pass`",
            extra.median,
            "s",
            GOAL,
            f"median of {PAIRS} pairs, 95 % {extra.low:.3f} to {extra.high:.3f}; `python -c pass` {bare.median:.3f} s",
        ),
    )


def _snipbench() -> list[str]:
    """The command beside this interpreter, else the module that it starts."""
    script = Path(sys.executable).parent / "snipbench"
    if script.exists():
        return [str(script)]
    if importlib.util.find_spec("orchestrator.cli") is None:
        msg = "there is no command line"
        raise NotMeasured(msg)
    return [sys.executable, "-c", "from orchestrator.cli import main; main()"]


def _seconds(command: Sequence[str]) -> float:
    begun = perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    seconds = perf_counter() - begun
    if done.returncode != 0:
        msg = f"{command[0]} failed: {done.stderr.decode(errors='replace')[-300:]}"
        raise NotMeasured(msg)
    return seconds
