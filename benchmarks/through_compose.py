"""The whole quickstart, once on this machine and once through the services of compose.yaml: what differs?

Takes some six minutes on two cores. tests/stack has each of its runs made once.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.composed import QUICKSTART, Composed, called, composed, hashes, needs_images, snipbench, stages
from benchmarks.result import Goal, Row

ALL = Goal(at_least=1)
NONE = Goal(at_most=0)


def run() -> Sequence[Row]:
    """First alone, then served; nothing else runs meanwhile."""
    needs_images()
    with TemporaryDirectory(prefix="snipbench-compose-") as name:
        folder = Path(name)
        began = time.monotonic()
        variables = {"SNIPBENCH_MACHINE_LOCK": str(folder / "lock")}
        done = called(snipbench("run", QUICKSTART, "--home", folder / "home", "--json"), variables)
        alone_seconds = time.monotonic() - began
        if done.returncode != 0:
            raise RuntimeError(f"on this machine: {done.stderr[-4000:]}")
        alone = json.loads(done.stdout)
        began = time.monotonic()
        with composed(folder) as stack:
            up_seconds = time.monotonic() - began
            served, events, report, served_seconds = _served(stack)
            began = time.monotonic()
            stack.down()
            down_seconds = time.monotonic() - began
            left = stack.left()
    rows = [*_equality(alone, served), *_told(served, events, report)]
    rows.append(Row("containers, volumes, networks left after `make down`", len(left), "", NONE))
    rows.append(Row("wall time on this machine", alone_seconds, "s", note=_verdicts(alone)))
    note = f"{_verdicts(served)}; `make up` {up_seconds:.0f} s, `make down` {down_seconds:.0f} s besides"
    rows.append(Row("wall time through the services", served_seconds, "s", note=note))
    rows.append(Row("services over this machine", served_seconds / alone_seconds, "×"))
    return tuple(rows)


def _served(stack: Composed) -> tuple[dict[str, Any], list[dict[str, Any]], str, float]:
    began = time.monotonic()
    done = stack.snipbench("submit", QUICKSTART, "--wait", "--json")
    seconds = time.monotonic() - began
    if done.returncode != 0:
        raise RuntimeError(f"through the services: {done.stderr[-4000:]}\n{stack.logs()}")
    served = json.loads(done.stdout)
    with stack.client() as client:
        events = [data for _, data in client.events(served["task_id"])]
        return served, events, client.report(served["task_id"]), seconds


def _equality(alone: dict[str, Any], served: dict[str, Any]) -> Iterator[Row]:
    same = alone["plan_hash"] == served["plan_hash"]
    yield Row("plan hashes equal", float(same), "", ALL, note=served["plan_hash"][:16])
    here, there = hashes(alone), hashes(served)
    equal = [key for key, found in here.items() if found is not None and there.get(key) == found]
    note = f"{len(equal)} of {len(here | there)}"
    yield Row("share of result hashes equal", len(equal) / len(here | there), "", ALL, note=note)


def _told(served: dict[str, Any], events: list[dict[str, Any]], report: str) -> Iterator[Row]:
    in_order = stages(events) == list(range(1, 22))
    yield Row("stages 1 to 21 in the event log, in order", float(in_order), "", ALL, note=f"{len(events)} events")
    yield Row("stages that failed", sum(event.get("status") == "failed" for event in events), "", NONE)
    names = {snippet["name"] for experiment in served["experiments"] for snippet in experiment["snippets"]}
    missing = [name for name in names if name not in report]
    yield Row("snippets that the fetched report does not name", len(missing), "", NONE, note=f"of {len(names)}")
    jailed = re.findall(r"<dt>sandbox</dt>\s*<dd>(.*?)</dd>", report)
    share = jailed.count("bwrap") / len(jailed) if jailed else None
    yield Row("share of candidates proved in a jail", share, "", ALL, note=f"of {len(jailed)}")


def _verdicts(outcome: dict[str, Any]) -> str:
    """How many comparisons ended how."""
    found = [
        snippet["ratio_to_baseline"]["verdict"]
        for experiment in outcome["experiments"]
        for snippet in experiment["snippets"]
        if snippet["ratio_to_baseline"]
    ]
    return ", ".join(f"{found.count(verdict)} {verdict}" for verdict in sorted(set(found)))
