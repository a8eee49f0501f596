"""Where the engine has our directories: it mounts what its own machine has, which a container sees elsewhere."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from orchestrator.databases.docker.engine import translated
from snipbench.errors import MachineError

MARK = Path("/.dockerenv")
"""Docker leaves it in every container."""


def on_the_host(client: Any, directory: Path) -> Path:
    """The engine's path of ``directory``: the same, unless this process is in a container.

    Raises:
        MachineError: the directory is in a container, and on no volume that the engine could mount elsewhere.
        DatabaseError: the engine refuses to say.
    """
    from docker.errors import NotFound

    if not MARK.exists():
        return directory
    with translated("this container cannot be looked at"):
        try:
            mounts = client.api.inspect_container(socket.gethostname())["Mounts"]
        except NotFound:
            return directory
    places = [(Path(mount["Destination"]), Path(mount["Source"])) for mount in mounts if mount.get("Source")]
    around = [place for place in places if directory.is_relative_to(place[0])]
    if not around:
        raise MachineError(f"{directory} is on no volume, so no other container can be given what lies there")
    inside, outside = max(around, key=lambda place: len(place[0].parts))
    return outside / directory.relative_to(inside)
