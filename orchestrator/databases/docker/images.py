"""Images with PostgreSQL in them: found, pulled where need be, and asked where their programs are.

The official image, Debian's packages and their likes differ in entrypoint, user and folders. None of that is used: the
server's programs are found and run by us, under our account, on a data directory of ours.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestrator.databases.docker.engine import translated
from orchestrator.databases.docker.programs import run_program
from orchestrator.databases.docker.template import Template
from snipbench.domain.order import Database
from snipbench.errors import DatabaseError

DEFAULT = Database.model_fields["image"].default
DEFAULT_VARIABLE = "SNIPBENCH_POSTGRES_IMAGE"
"""Names the image that stands in for the default one, where that cannot be pulled."""

PROBE = """
for program in "$(command -v postgres)" /usr/lib/postgresql/*/bin/postgres /usr/local/bin/postgres \
    /usr/local/pgsql/bin/postgres /usr/pgsql-*/bin/postgres /opt/*/postgresql/bin/postgres; do
  folder=${program%/postgres}
  if [ -x "$program" ] && [ -x "$folder/initdb" ]; then echo "$folder"; "$program" --version; exit 0; fi
done
echo "it has no program postgres with initdb beside it"
exit 3
"""


@dataclass(frozen=True, slots=True)
class Image:
    """An image of PostgreSQL. ``image_id`` is the digest of its content and configuration, ``sha256:…``."""

    name: str
    image_id: str
    programs: str
    version: str

    def program(self, name: str) -> str:
        """Path of one of PostgreSQL's programs inside."""
        return f"{self.programs}/{name}"


def find_image(client: Any, name: str, template: Template, known: Path) -> Image:
    """The image of that name (with a tag or an ``@sha256:`` digest), pulled if it is not there.

    Args:
        client: the engine.
        name: what the order says; the default may be replaced by ``SNIPBENCH_POSTGRES_IMAGE``.
        template: for the container in which the image is asked.
        known: folder where answers are kept, by image id.

    Raises:
        DatabaseError: it cannot be had, or has no PostgreSQL in it.
    """
    name = os.environ.get(DEFAULT_VARIABLE, name) if name == DEFAULT else name
    image_id = _image_id(client, name)
    note = known / f"{image_id.removeprefix('sha256:')}.json"
    if note.exists():
        return Image(**(json.loads(note.read_text()) | {"name": name}))
    answer = run_program(client, template, image_id, "/bin/sh", ["-c", PROBE], what=f"image {name}")
    folder, _, words = answer.strip().partition("\n")
    match = re.search(r"\b(\d+(?:\.\d+)*)", words)
    if match is None:
        raise DatabaseError(f"image {name}: its program postgres calls itself {words!r}")
    image = Image(name, image_id, folder, match.group(1))
    known.mkdir(exist_ok=True)
    written = note.with_suffix(f".{os.getpid()}")
    written.write_text(json.dumps(asdict(image)))
    written.rename(note)
    return image


def _image_id(client: Any, name: str) -> str:
    from docker.errors import ImageNotFound

    with translated(f"image {name} cannot be had"):
        try:
            found = client.images.get(name)
        except ImageNotFound:
            found = client.images.pull(name if "@" in name or ":" in name.rpartition("/")[2] else f"{name}:latest")
        return str(found.id)
