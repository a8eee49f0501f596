"""Running a program of an image that ends by itself, in a container of its own that is gone afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.databases.docker.engine import translated
from orchestrator.databases.docker.template import Mounted, Template
from snipbench.errors import DatabaseError

PROGRAM_SECONDS = 600


def run_program(
    client: Any,
    template: Template,
    image_id: str,
    program: str,
    arguments: Sequence[str],
    *,
    what: str,
    mounts: Sequence[Mounted] = (),
    labels: Mapping[str, str] | None = None,
    as_root: bool = False,
) -> str:
    """Output of the program, standard error included; ``what`` begins the message where it fails.

    Raises:
        DatabaseError: it did not end with 0, in its own words.
    """
    with translated(what):
        made = template.program(image_id, program, arguments, mounts, labels or template.labels("program"))
        if as_root:
            made |= {"user": "0:0"}
        container = client.containers.create(**made)
        try:
            container.start()
            code = container.wait(timeout=PROGRAM_SECONDS)["StatusCode"]
            output = container.logs().decode(errors="replace")
        finally:
            container.remove(force=True, v=True)
    if code != 0:
        raise DatabaseError(f"{what}: {program} failed with exit code {code}:\n{output.strip()}")
    return str(output)
