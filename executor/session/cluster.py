"""A session whose executors are on a standalone cluster: found before Spark is started, awaited before it is used."""

from __future__ import annotations

import socket
from time import monotonic, sleep

from pyspark.sql import SparkSession

from executor.session.rules import StartFailed
from snipbench.domain.spark_master import addresses

CONNECT_SECONDS = 5.0
"""How long one master may take to accept a connection. Spark itself would try for a minute, and say little."""
FIRST_EXECUTOR_SECONDS = 120.0
"""How long a cluster may take to give the session its first executor. Spark would wait for ever."""
SETTLED_SECONDS = 1.0
"""Executors start together: when none has come for so long, all that come are there."""


def own_address(master: str) -> str:
    """This machine's address on the way to the master, which its workers reach the session at.

    Raises:
        StartFailed: none of the masters accepts a connection.
    """
    reasons = []
    for host, port in addresses(master):
        try:
            with socket.create_connection((host, port), CONNECT_SECONDS) as connection:
                address: str = connection.getsockname()[0]
        except OSError as error:
            reasons.append(f"{host}:{port}: {error.strerror or error}")
        else:
            return f"[{address}]" if ":" in address else address
    raise StartFailed(f"no Spark master answers at {master} ({'; '.join(reasons)})")


def settings(address: str) -> dict[str, str]:
    """Defaults that let the cluster's machines reach the session, at that address of this machine and no other."""
    return {"spark.driver.host": address, "spark.driver.bindAddress": address}


def await_executors(spark: SparkSession, master: str) -> None:
    """Wait until the executors that the cluster gives are there, so that no run waits for one.

    Raises:
        StartFailed: it gives none, or ended the session.
    """
    context = spark.sparkContext._jsc.sc()
    until = monotonic() + FIRST_EXECUTOR_SECONDS
    count, since = 0, monotonic()
    while count == 0 or monotonic() - since < SETTLED_SECONDS:
        if context.isStopped():
            raise StartFailed(f"the master at {master} ended the session")
        found = int(context.getExecutorMemoryStatus().size()) - 1  # less the driver
        if found != count:
            count, since = found, monotonic()
        if count == 0 and monotonic() > until:
            memory = spark.conf.get("spark.executor.memory", "1g")
            raise StartFailed(
                f"the master at {master} gave no executor in {FIRST_EXECUTOR_SECONDS:.0f} s: no worker has a free core "
                f"and {memory} of memory (spark.executor.memory), another session has them all, or the workers do not "
                f"reach this machine at {spark.conf.get('spark.driver.host')} (spark.driver.host)"
            )
        sleep(0.05)


def executors(spark: SparkSession) -> int:
    """How many there are now."""
    return int(spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size()) - 1
