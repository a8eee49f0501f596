"""Who holds a lease: a process, named so that others on its machine can tell at once that it died."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict

from orchestrator.databases.ownership import Owner


def this_holder(task_id: str) -> str:
    """The calling process, as text."""
    return json.dumps({"host": socket.gethostname(), **asdict(Owner.this_process(task_id))}, sort_keys=True)


def surely_dead(holder: str) -> bool:
    """Whether the holder was a process of this very machine and container that no longer runs."""
    try:
        told = json.loads(holder)
        host = told.pop("host")
        owner = Owner(**told)
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    # A boot of another machine has another id as well: whether that one still runs cannot be told from here.
    here = Owner.this_process("")
    same_machine = (host, owner.boot_id, owner.pid_namespace) == (
        socket.gethostname(),
        here.boot_id,
        here.pid_namespace,
    )
    return same_machine and not owner.alive()


def describe(holder: str) -> str:
    """``process 4711 on host`` for a message."""
    try:
        told = json.loads(holder)
        return f"process {told['pid']} on {told['host']}"
    except (ValueError, KeyError, TypeError):
        return "another leader"
