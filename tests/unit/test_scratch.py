"""The scratch of sessions: gone with its session, or with whoever comes after a process that was killed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from executor.scratch import Scratch, remove_left
from snipbench.clock import SystemClock

ROOT = Path(__file__).parents[2]
KILLED = """
import sys, time
from pathlib import Path
from executor.scratch import Scratch
from snipbench.clock import SystemClock

scratch = Scratch(Path(sys.argv[1]), SystemClock())
scratch.make()
(scratch.path / "local").mkdir()
(scratch.path / "local" / "shuffle").write_text("rows")
print(scratch.path, flush=True)
time.sleep(600)
"""


def test_it_is_removed_with_all_that_is_in_it_and_twice_is_no_error(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path, SystemClock())
    scratch.remove()
    scratch.make()
    (scratch.path / "local" / "blockmgr").mkdir(parents=True)
    (scratch.path / "log4j2.properties").write_text("")
    (scratch.path / "elsewhere").symlink_to(tmp_path)
    scratch.remove()
    scratch.remove()
    assert not scratch.path.exists()
    assert list(tmp_path.iterdir()) == [scratch.path.parent]


def test_it_may_be_gone_already(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path, SystemClock())
    scratch.make()
    shutil.rmtree(tmp_path / "sessions")
    scratch.remove()
    assert remove_left(tmp_path) == []


def test_what_a_killed_process_left_goes_and_what_a_living_one_has_stays(tmp_path: Path) -> None:
    living = Scratch(tmp_path, SystemClock())
    living.make()
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        assert remove_left(tmp_path) == []
        process.kill()
    assert left.is_dir()
    assert remove_left(tmp_path) == [left.name]
    assert list(left.parent.iterdir()) == [living.path]
    living.remove()


def test_a_new_one_removes_what_was_left(tmp_path: Path) -> None:
    left = tmp_path / "sessions" / "scratch-of-a-dead-one"
    (left / "local").mkdir(parents=True)
    scratch = Scratch(tmp_path, SystemClock())
    scratch.make()
    assert list(left.parent.iterdir()) == [scratch.path]
    scratch.remove()


def test_its_place_is_left_out_of_settings(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "a home ü", SystemClock())
    text = f"-Dlog4j2.configurationFile={(scratch.path / 'log').as_uri()} '-Djava.io.tmpdir={scratch.path}'"
    assert scratch.left_out(text) == "-Dlog4j2.configurationFile=scratch/log '-Djava.io.tmpdir=scratch'"
