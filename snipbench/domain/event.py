"""The event log: what happened to a task, stage by stage (systems note S1, the 21 stages of the main flow)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any


class Stage(IntEnum):
    """The 21 stages by number; :attr:`title` is the name that people see."""

    ORDER_RECEIVED = 1
    CONFIGURATION_DOWNLOADED = 2
    SNIPPETS_STORED = 3
    TASK_STARTED = 4
    CONFIGURATION_LOADED = 5
    DATABASE_REQUESTED = 6
    DATABASE_PREPARED = 7
    DATABASE_READY = 8
    ENGINE_PREPARATION_REQUESTED = 9
    ENGINE_CONNECTED = 10
    ENGINE_READY = 11
    MONITORING_STARTED = 12
    SAMPLES_STREAMED = 13
    EXECUTION_REQUESTED = 14
    SNIPPET_EXECUTED = 15
    EXECUTION_FINISHED = 16
    MONITORING_STOPPED = 17
    EXPERIMENT_FINISHED = 18
    ANALYSIS_REQUESTED = 19
    ANALYSIS_DONE = 20
    ANALYSIS_FINISHED = 21

    @property
    def title(self) -> str:
        """Name in words: ``database ready``."""
        return self.name.lower().replace("_", " ")


ENVIRONMENT_DIFFERS = "environment differs"
"""Name of the event that tells that a session runs on something else than the task's first one did. Its data:
``differences``, each with ``area, name, before, after``."""

WATCHING_MEASURED = "watching measured"
"""Name of the event that tells what watching costs. Its data: ``snippet, pairs, interval_seconds, median, low, high``
of the paired ratio of wall times, watched over unwatched; nothing where it could not be measured."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a task.

    ``sequence`` counts from 1 within the task. ``stage`` is ``None`` for what is none of the 21 (a repeated
    warm-up, a new session, a stopped stream). ``status`` is ``ok``, ``failed`` or a word of the stage's own.
    """

    task_id: str
    sequence: int
    at: str
    name: str
    stage: Stage | None = None
    status: str = "ok"
    experiment: str | None = None
    slot_id: str | None = None
    text: str = ""
    data: dict[str, Any] = field(default_factory=dict)
