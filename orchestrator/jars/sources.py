"""Where jars come from. Each source gives files for coordinates, or says in one line why it cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from snipbench.errors import UsageError

TIMEOUT_SECONDS = 600
Fetch = Callable[[Sequence[str], Path], dict[str, Path]]


class SourceFailed(Exception):
    """This source has not got them; the next may."""


def named_folder() -> Path | None:
    """The folder that the user names.

    Raises:
        UsageError: it is none.
    """
    text = os.environ.get("SNIPBENCH_JARS")
    if not text:
        return None
    if not Path(text).is_dir():
        raise UsageError(f"SNIPBENCH_JARS names {text!r}, which is no folder")
    return Path(text)


def available() -> Iterator[tuple[str, Fetch]]:
    """The sources of this machine, in the order in which they are asked; a folder that is named is the only one."""
    if (folder := named_folder()) is not None:
        yield f"the folder {folder}", lambda coordinates, _: from_folder(coordinates, folder)
        return
    yield "Spark's resolver", from_spark
    if shutil.which("mvn"):
        yield "Maven", from_maven


def from_folder(coordinates: Sequence[str], folder: Path) -> dict[str, Path]:
    """Files named ``artifact-version.jar``, or as Ivy names them (``group_artifact-version.jar``)."""
    found = {}
    for coordinate in coordinates:
        group, artifact, version = coordinate.split(":")
        names = (f"{artifact}-{version}.jar", f"{group}_{artifact}-{version}.jar")
        paths = [folder / name for name in names if (folder / name).is_file()]
        if not paths:
            raise SourceFailed(f"no {names[0]}")
        found[coordinate] = paths[0]
    return found


def from_spark(coordinates: Sequence[str], scratch: Path) -> dict[str, Path]:
    """Ivy inside ``spark-submit --packages``, with a cache of its own.

    Ivy also reads the home directory's Maven repository, and fails on an artifact that is there without its jar; so
    it gets an empty home. What Spark brings itself is excluded.
    """
    import pyspark

    script = scratch / "nothing.py"
    script.write_text("")
    ivy = scratch / "ivy"
    excluded = [f"{group}:*" for group in _BROUGHT_BY_SPARK]
    command = [
        str(Path(pyspark.__file__).parent / "bin" / "spark-submit"),
        "--packages",
        ",".join(coordinates),
        "--exclude-packages",
        ",".join(excluded),
        "--conf",
        f"spark.jars.ivy={ivy}",
        str(script),
    ]
    options = f"{os.environ.get('SPARK_SUBMIT_OPTS', '')} -Duser.home={scratch}".strip()
    _call(command, {**os.environ, "SPARK_SUBMIT_OPTS": options})
    return from_folder(coordinates, ivy / "jars")


def from_maven(coordinates: Sequence[str], scratch: Path) -> dict[str, Path]:
    """``mvn dependency:copy``, as Maven is set up on the machine."""
    for coordinate in coordinates:
        copy = ["dependency:copy", f"-Dartifact={coordinate}", f"-DoutputDirectory={scratch}"]
        _call(["mvn", "--batch-mode", "--quiet", *copy], dict(os.environ))
    return from_folder(coordinates, scratch)


_BROUGHT_BY_SPARK = (
    "com.fasterxml.jackson.core",
    "com.fasterxml.jackson.datatype",
    "com.github.luben",
    "com.google.code.findbugs",
    "commons-logging",
    "commons-pool",
    "io.airlift",
    "io.unitycatalog",
    "javax.annotation",
    "org.apache.hadoop",
    "org.apache.logging.log4j",
    "org.apache.parquet",
    "org.checkerframework",
    "org.locationtech.jts",
    "org.roaringbitmap",
    "org.slf4j",
    "org.xerial.snappy",
)


def _call(command: list[str], environment: dict[str, str]) -> None:
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceFailed(str(error)) from error
    if done.returncode != 0:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
        telling = [line for line in lines if "not found" in line or "ERROR" in line or "Exception" in line]
        raise SourceFailed("; ".join((telling or lines)[:3])[:600])
