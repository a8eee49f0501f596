"""Labels on everything that is made, so that whoever comes later knows what it is and who answers for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from orchestrator.databases.ownership import Owner

ROOT = "snipbench.root"
"""Directory of the home that it belongs to, as the engine's machine knows it."""
WORKSPACE = "snipbench.workspace"
"""Name of the clone or of the unfinished build."""
NETWORK = "snipbench.network"
"""The network of containers that it is for; absent where it is reached over the loopback."""
OWNER = "snipbench.owner"
"""The process that answers for it, as JSON (:class:`orchestrator.databases.ownership.Owner`)."""


def labels(root: Path, workspace: str, network: str | None = None) -> dict[str, str]:
    """Labels of a container or volume made by this process; ``root`` as the engine's machine knows it."""
    owner = json.dumps(asdict(Owner.this_process(workspace)))
    return {ROOT: str(root), WORKSPACE: workspace, OWNER: owner} | ({NETWORK: network} if network else {})


def orphaned(found: Mapping[str, str]) -> bool:
    """Whether the process that answers for it is dead; also where the label cannot be understood."""
    try:
        return not Owner(**json.loads(found[OWNER])).alive()
    except (KeyError, ValueError, TypeError):
        return True


def selection(root: Path, workspace: str | None = None) -> dict[str, list[str]]:
    """Filter for the engine's lists: everything of a home, or of one of its workspaces."""
    wanted = [f"{ROOT}={root}"]
    return {"label": wanted if workspace is None else [*wanted, f"{WORKSPACE}={workspace}"]}
