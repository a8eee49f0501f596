"""On what a task runs: kept when its first session is there, and whether later sessions run on the same."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from executor.calls import SessionFacts
from orchestrator import environment
from orchestrator.databases.port import ReferenceDatabase
from orchestrator.leading.taskbook import TaskBook
from snipbench.clock import Clock, to_text
from snipbench.domain.event import ENVIRONMENT_DIFFERS
from snipbench.domain.order import Experiment
from snipbench.domain.task import MOMENT, Environment, differences

OF_ONE_SESSION = frozenset(
    (
        "spark.app.id",
        "spark.app.initial.jar.urls",
        "spark.app.startTime",
        "spark.app.submitTime",
        "spark.driver.host",
        "spark.driver.port",
        "spark.sql.warehouse.dir",
    )
)
"""Spark lists them among its settings, though they name one start of it, or a place of its machine, which it writes now
one way and now another: no two tasks would have one fingerprint."""


def keep_environment(
    book: TaskBook, clock: Clock, experiment: Experiment, database: ReferenceDatabase, session: SessionFacts
) -> None:
    """Keep what is new: at first all, later each database that was not there before. A session on something else than
    what was kept, as after a retry on another machine, is an event of the task."""
    found = _areas(experiment, database, session)
    known = book.environment()
    if known is None:
        book.keep_environment(Environment(found | {MOMENT: environment.moment_facts()}, to_text(clock.now())))
        return
    now = known.facts | {area: facts for area, facts in found.items() if area not in known.facts}
    if now != known.facts:
        book.keep_environment(replace(known, facts=now))
    changed = differences({area: now[area] for area in found}, found)
    text = "; ".join(map(str, changed))
    if changed and not book.has_logged(ENVIRONMENT_DIFFERS, experiment.name, text):
        data = {"differences": [asdict(each) for each in changed]}
        book.log(ENVIRONMENT_DIFFERS, experiment=experiment.name, text=text, data=data)


def _areas(experiment: Experiment, database: ReferenceDatabase, session: SessionFacts) -> dict[str, dict[str, Any]]:
    conf = {name: value for name, value in session.conf if name not in OF_ONE_SESSION}
    return {
        "machine": environment.machine_facts(),
        "libraries": environment.library_versions(),
        f"database:{experiment.database}": {
            "server_version": database.server_version,
            "image": database.image,
            **dict(database.settings),
        },
        "spark": {"version": session.spark_version, "java_version": session.java_version, **conf}
        | ({} if session.executors is None else {"executors": session.executors, "slots": session.slots}),
    }
