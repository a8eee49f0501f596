"""A standalone cluster of Spark as local processes: a master and one worker of one core."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

HOST = "127.0.0.1"
ROOT = Path(__file__).parents[2]
QUICK = "-XX:TieredStopAtLevel=1"
"""As in tests/conftest.py, for JVMs that Spark starts by other ways."""
CONF = f'{{spark.executor.memory: 512m, spark.sql.shuffle.partitions: 2, spark.executor.extraJavaOptions: "{QUICK}"}}'
"""Settings of an order that the worker has room for."""
START_SECONDS = 120


@contextmanager
def spark_cluster(folder: Path) -> Iterator[str]:
    """The URL of a master that has its worker. Logs and files go to ``folder``."""
    with ExitStack() as stack:
        log = _started(stack, folder, "master.Master", "--port", "0")
        url = _told(log, r"Starting Spark master at (\S+)")
        work = ("--work-dir", str(folder / "work"))
        log = _started(stack, folder, "worker.Worker", "--cores", "1", "--memory", "600m", *work, url)
        _told(log, r"(Successfully registered) with master")
        yield url


def _told(log: Path, pattern: str) -> str:
    """What the pattern's group finds in the log, once it is there."""
    deadline = time.monotonic() + START_SECONDS
    while (found := re.search(pattern, log.read_text())) is None:
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    return found[1]


def _started(stack: ExitStack, folder: Path, name: str, *arguments: str) -> Path:
    """Start one process of the cluster, ended with the stack; where its log is."""
    import pyspark

    home = Path(str(pyspark.__file__)).parent
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_NO_DAEMONIZE": "1", "SPARK_DAEMON_MEMORY": "256m"}
    environment |= {"SPARK_LOCAL_DIRS": str(folder / "local"), "PYTHONPATH": str(ROOT), "SPARK_DAEMON_JAVA_OPTS": QUICK}
    command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}"]
    path = folder / f"{name}.log"
    log = stack.enter_context(path.open("w"))
    place = ("--host", HOST, "--webui-port", "0")
    process = subprocess.Popen([*command, *place, *arguments], env=environment, stdout=log, stderr=log)
    stack.callback(process.wait, 60)
    stack.callback(process.terminate)  # a worker takes its executors along
    return path
