"""An order's PostgreSQL settings: which may be given, and how the server takes them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from snipbench.domain.order import Scalar
from snipbench.errors import DatabaseError

CLONE_SETTINGS = {"autovacuum": "off"}
"""Nothing may move in the background while runs are measured; the prototype is vacuumed and analysed already."""

RESERVED = frozenset(
    {
        *(
            "cluster_name",
            "config_file",
            "data_directory",
            "external_pid_file",
            "hba_file",
            "ident_file",
            "listen_addresses",
        ),
        *("logging_collector", "log_destination", "password_encryption", "port", "unix_socket_directories"),
    }
)
SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")


def as_options(settings: Mapping[str, Scalar]) -> dict[str, str]:
    """An order's settings as PostgreSQL spells them.

    Raises:
        DatabaseError: a name that is none, or one that the platform itself needs.
    """
    options = {}
    for name, value in settings.items():
        if not SETTING_NAME.fullmatch(name):
            raise DatabaseError(f"settings: {name!r} is not the name of a PostgreSQL setting")
        if name.lower() in RESERVED:
            raise DatabaseError(f"settings: {name} is set by snipbench itself and cannot be changed")
        options[name.lower()] = ("on" if value else "off") if isinstance(value, bool) else str(value)
    return options
