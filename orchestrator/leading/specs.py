"""How the sessions of an order are started."""

from __future__ import annotations

from pathlib import Path

from executor.calls import SessionSpec
from orchestrator.leading.parts import Parts
from snipbench.domain.order import Order


def session_spec(parts: Parts, order: Order, *, work: Path, logs: Path, share: int = 1) -> SessionSpec:
    """A session with the order's Spark settings.

    ``share`` is how many sessions have to share the memory that one is allowed.
    """
    cap = parts.memory_cap_bytes
    return SessionSpec(
        master=order.spark.master,
        conf=tuple((key, _conf_text(value)) for key, value in sorted(order.spark.conf.items())),
        jars=parts.jars,
        memory_cap_bytes=None if cap is None else cap // share,
        work_directory=work,
        log_directory=logs,
    )


def _conf_text(value: object) -> str:
    """As Spark writes it: ``true``, not ``True``."""
    return str(value).lower() if isinstance(value, bool) else str(value)
