"""How the sessions of an order are started."""

from __future__ import annotations

from pathlib import Path

from executor.calls import SessionSpec
from orchestrator.leading.parts import Parts
from snipbench.domain.order import Order
from snipbench.domain.spark_master import is_local

OF_A_CLUSTER = ("spark.driver.bindAddress", "spark.driver.host", "spark.pyspark.python")
"""Settings that say how a cluster's machines and this one find each other; wrong where there is no cluster."""


def session_spec(
    parts: Parts, order: Order, *, work: Path, logs: Path, share: int = 1, here: bool = False
) -> SessionSpec:
    """A session with the order's Spark settings.

    Args:
        parts: with the memory that a session is allowed.
        order: whose.
        work: for Spark's scratch space.
        logs: for its log.
        share: how many sessions have to share that memory.
        here: on this machine even where the order names a cluster.
    """
    cap, conf = parts.memory_cap_bytes, dict(order.spark.conf)
    moved = here and not is_local(order.spark.master)
    if moved:
        conf = {key: value for key, value in conf.items() if key not in OF_A_CLUSTER}
    return SessionSpec(
        master="local[*]" if moved else order.spark.master,
        conf=tuple((key, _conf_text(value)) for key, value in sorted(conf.items())),
        jars=parts.jars,
        memory_cap_bytes=None if cap is None else cap // share,
        work_directory=work,
        log_directory=logs,
    )


def _conf_text(value: object) -> str:
    """As Spark writes it: ``true``, not ``True``."""
    return str(value).lower() if isinstance(value, bool) else str(value)
