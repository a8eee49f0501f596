"""Where a session's Spark runs: in its own process (``local[N]``), or on a standalone cluster (``spark://HOST:PORT``)."""

from __future__ import annotations

import re

FORMS = "local, local[N], local[*] or spark://HOST:PORT (several masters: spark://HOST:PORT,HOST:PORT)"
"""What a master may be, for a message."""

DRIVER = "driver"
"""Target that is watched in the place of ``executor`` where Spark's executors run on a cluster: the session's own
process tree, which is the driver. What the executors use is in no counter."""

UNSEEN = "CPU time and memory of its executors are not read (null); those of Spark's own metrics are theirs"
"""What a result on a cluster does not tell."""

_CLUSTER = "spark://"
_LOCAL = re.compile(r"local(-cluster)?(\[[\d*]+(\s*,\s*\d+)*\s*\])?")
_ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})")
_OTHERS = ("yarn", "k8s://")


def is_local(master: str) -> bool:
    """Whether Spark's executors are in the session's own process tree."""
    return not master.startswith(_CLUSTER)


def is_other_cluster(master: str) -> bool:
    """Whether it names a cluster manager of Spark that is not a standalone master."""
    return master.startswith(_OTHERS)


def is_well_formed(master: str) -> bool:
    """Whether it is one of :data:`FORMS`."""
    return bool(_LOCAL.fullmatch(master)) if is_local(master) else bool(_parsed(master))


def addresses(master: str) -> tuple[tuple[str, int], ...]:
    """Host and port of each of a cluster's masters.

    Raises:
        ValueError: it is no cluster's, or not well-formed.
    """
    if is_local(master) or not (found := _parsed(master)):
        raise ValueError(f"{master!r} is no address of a Spark master: {FORMS}")
    return found


def _parsed(master: str) -> tuple[tuple[str, int], ...]:
    found: list[tuple[str, int]] = []
    for address in master.removeprefix(_CLUSTER).split(","):
        match = _ADDRESS.fullmatch(address)
        if match is None or not 0 < int(match["port"]) < 65_536:
            return ()
        found.append((match["host"].strip("[]"), int(match["port"])))
    return tuple(found)
