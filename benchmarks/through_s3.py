"""A table of the lake exported to the object store of compose.yaml's profile `s3`, and read back from there; and a
training table that the stack's own analyzer writes there.

The image is what SNIPBENCH_S3_IMAGE names, else SeaweedFS as tests/servers/s3-image/make builds it from its Go module.
Takes some three minutes on two cores, that image not counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.composed import ROOT, Composed, called, checked, composed, needs_images, snipbench
from benchmarks.result import Goal, NotMeasured, Row

ALL = Goal(at_least=1)
NONE = Goal(at_most=0)
TABLES = ("runs", "summaries", "orders")
READY_SECONDS = 60
ORDER = """\
name: exported
databases:
  shop: {dataset: {generator: tpch, scale: 0.001}}
experiments:
  - name: counts
    database: shop
    tables: [orders]
    warmups: 0
    repetitions: 3
    snippets: [{name: all, kind: sql, code: select count(*) as orders from orders}]
"""
ANALYSES = """\
analyses:
  - {name: by-wall, kind: classify, target: wall_seconds, export: "s3://exports/training"}
"""
MAKE_BUCKET = """\
import sys
from pyarrow.fs import FileSystem
filesystem, _ = FileSystem.from_uri(f"s3://{sys.argv[1]}?allow_bucket_creation=true")
filesystem.create_dir(sys.argv[1], recursive=False)
"""
READ = """\
import sys
from pyarrow.fs import FileSystem
filesystem, path = FileSystem.from_uri(sys.argv[1])
sys.stdout.buffer.write(filesystem.open_input_stream(path).read())
"""
LIST = """\
import sys
from pyarrow.fs import FileSelector, FileSystem
filesystem, path = FileSystem.from_uri(sys.argv[1])
for file in filesystem.get_file_info(FileSelector(path)):
    print(file.path)
"""


def run() -> Sequence[Row]:
    """An order on this machine; its home's tables then go to the store and come back through containers beside it."""
    import pyarrow.parquet as pq

    needs_images()
    image = os.environ.get("SNIPBENCH_S3_IMAGE") or _made()
    with TemporaryDirectory(prefix="snipbench-s3-") as name:
        folder = Path(name)
        home = folder / "home"
        (folder / "order.yaml").write_text(ORDER)
        lock = {"SNIPBENCH_MACHINE_LOCK": str(folder / "lock")}
        checked(snipbench("run", folder / "order.yaml", "--home", home), lock)
        here = {table: _local(home, table, folder) for table in TABLES}
        with composed(folder, {"COMPOSE_PROFILES": "s3", "SNIPBENCH_S3_IMAGE": image}) as stack:
            beside = Beside(stack, home, json.loads((folder / "secrets" / "s3-keys.json").read_text()))
            began = time.monotonic()
            beside.make_bucket("exports")
            ready_seconds = time.monotonic() - began
            equal = []
            for table in TABLES:
                to = f"s3://exports/{table}.parquet"
                beside.checked("snipbench", "export", "latest", "--home", "/home", "--table", table, *_parquet(to))
                there = pq.read_table(BytesIO(beside.checked("python", "-c", READ, to)))
                equal.append(there.equals(pq.read_table(here[table])))
            (folder / "order.yaml").write_text(ORDER + ANALYSES)
            submitted = stack.snipbench("submit", folder / "order.yaml", "--wait")
            written = beside.checked("python", "-c", LIST, "s3://exports/training").decode().split()
            wrong = beside.called("snipbench", "export", "--home", "/home", *_parquet("s3://exports/no"), secret="no")
            stack.down()
            left = stack.left()
    return (
        Row("share of tables that came back as they are here", sum(equal) / len(equal), "", ALL, ", ".join(TABLES)),
        Row("training tables that the analyzer wrote there", len(written), "", ALL, note=_last(submitted.stdout)),
        Row("a wrong key is refused", float(wrong.returncode != 0), "", ALL, note=_last(wrong.stderr.decode())),
        Row("containers, volumes, networks left after `make down`", len(left), "", NONE),
        Row("from the end of `make up` until the bucket was made", ready_seconds, "s", note=f"image {image}"),
    )


@dataclass(frozen=True)
class Beside:
    """Programs of snipbench's image in the services' own network, with the object store's keys and a home."""

    stack: Composed
    home: Path
    keys: dict[str, list[dict[str, list[dict[str, str]]]]]

    def make_bucket(self, name: str) -> None:
        """As soon as the store takes it.

        Raises:
            RuntimeError: it never does.
        """
        deadline = time.monotonic() + READY_SECONDS
        while (done := self.called("python", "-c", MAKE_BUCKET, name)).returncode != 0:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{done.stderr.decode()[-4000:]}\n{self.stack.logs()}")
            time.sleep(0.5)

    def called(self, program: str, *arguments: str, secret: str = "") -> subprocess.CompletedProcess[bytes]:
        """To its end. ``secret`` takes the place of the secret key."""
        credentials = self.keys["identities"][0]["credentials"][0]
        given = {
            "AWS_ENDPOINT_URL": "http://s3:8333",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": credentials["accessKey"],
            "AWS_SECRET_ACCESS_KEY": secret or credentials["secretKey"],
        }
        command = ["docker", "run", "--rm", "--network", f"{self.stack.project}_inside"]
        command += ["--user", f"{os.getuid()}:{os.getgid()}", "--volume", f"{self.home}:/home", "--entrypoint", program]
        for variable in given:
            command += ["--env", variable]
        command += [self.stack.variables["SNIPBENCH_IMAGE"], *arguments]
        return subprocess.run(command, env={**os.environ, **given}, capture_output=True, check=False, timeout=300)

    def checked(self, program: str, *arguments: str) -> bytes:
        """What it prints.

        Raises:
            RuntimeError: it failed.
        """
        done = self.called(program, *arguments)
        if done.returncode != 0:
            raise RuntimeError(f"{program} {arguments}: {done.stderr.decode()[-4000:]}")
        return done.stdout


def _parquet(to: str) -> tuple[str, ...]:
    return ("--format", "parquet", "--to", to)


def _local(home: Path, table: str, folder: Path) -> Path:
    path = folder / f"{table}.parquet"
    checked(snipbench("export", "latest", "--home", home, "--table", table, *_parquet(str(path))), {})
    return path


def _made() -> str:
    done = called([str(ROOT / "tests" / "servers" / "s3-image" / "make")], {})
    if done.returncode != 0:
        raise NotMeasured(f"no image of an object store: {done.stderr[-300:]}")
    return done.stdout.strip()


def _last(told: str) -> str:
    """Its last line."""
    lines = told.strip().splitlines()
    return lines[-1][:200] if lines else ""
