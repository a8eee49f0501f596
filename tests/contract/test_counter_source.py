"""What every source of counters must do, whatever it reads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from snipbench.domain.run import Counters
from snipbench.resources.cgroup import CgroupSource
from snipbench.resources.port import CounterSource, Target, TargetGone
from snipbench.resources.process_tree import ProcessTreeSource
from tests.contract.obedient import Obedient, Processes
from tests.descriptors import of_the_kernel
from tests.waiting import until

SOURCES: dict[str, Callable[[], CounterSource]] = {
    "process": ProcessTreeSource,
    "process-pss": lambda: ProcessTreeSource("pss"),
    "cgroup": CgroupSource,
}
ROOT = Path(__file__).parents[2]
ELSE = 0.1
"""Less than any burst here: what starting and ending processes may cost on a busy machine, in seconds of CPU time."""
PARAMETERS = [pytest.param(name, marks=pytest.mark.cgroups if name.startswith("cgroup") else ()) for name in SOURCES]


@pytest.fixture(params=PARAMETERS)
def source(request: pytest.FixtureRequest) -> Iterator[CounterSource]:
    source = SOURCES[request.param]()
    yield source
    source.close()


@pytest.fixture
def processes(request: pytest.FixtureRequest) -> Iterator[Processes]:
    named = request.node.callspec.params.get("source", "process") if hasattr(request.node, "callspec") else "process"
    processes = Processes(grouped=named.startswith("cgroup"))
    yield processes
    processes.end()


@pytest.fixture
def obedient(processes: Processes) -> Obedient:
    return processes.start()


@pytest.fixture
def target(obedient: Obedient) -> Target:
    return obedient.target("executor")


def cpu_between(before: Counters, after: Counters) -> float:
    assert before.cpu_seconds is not None
    assert after.cpu_seconds is not None
    return after.cpu_seconds - before.cpu_seconds


def read_until_gone(source: CounterSource, target: Target, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        source.read(target)


def test_a_reading_tells_everything_with_definitions(source: CounterSource, target: Target) -> None:
    reading = source.read(target)
    assert all(getattr(reading, field.name) is not None for field in fields(Counters))
    assert reading.memory_bytes is not None
    assert 2_000_000 < reading.memory_bytes < 200_000_000
    assert reading.memory_definition in {"rss", "pss", "cgroup_less_inactive_file"}
    assert reading.io_definition in {"proc_io", "blkio"}
    assert reading.processes == 1
    assert reading.threads == 1
    assert reading.at.endswith("Z")
    assert len(reading.at) == 27


def test_a_burst_is_seen_whole(source: CounterSource, target: Target, obedient: Obedient) -> None:
    for _ in range(3):
        spent_before, before = float(obedient.do("print(used())")[0]), source.read(target)
        obedient.do("burn(0.2)")
        after, spent_after = source.read(target), float(obedient.do("print(used())")[0])
        assert cpu_between(before, after) == pytest.approx(spent_after - spent_before, rel=0.05)


def test_the_time_of_ended_threads_is_seen(source: CounterSource, target: Target, obedient: Obedient) -> None:
    before = source.read(target)
    obedient.do("t = threading.Thread(target=burn, args=(0.2,)); t.start(); t.join()")
    assert cpu_between(before, source.read(target)) >= 0.2


def test_user_and_system_time_add_up(source: CounterSource, target: Target, obedient: Obedient) -> None:
    before = source.read(target)
    obedient.do("burn(0.15); [os.listdir('/proc/self/fd') for _ in range(5000)]")
    after = source.read(target)
    assert after.cpu_user_seconds is not None
    assert after.cpu_system_seconds is not None
    assert before.cpu_user_seconds is not None
    assert before.cpu_system_seconds is not None
    parts = after.cpu_user_seconds - before.cpu_user_seconds + after.cpu_system_seconds - before.cpu_system_seconds
    assert after.cpu_user_seconds > before.cpu_user_seconds
    assert after.cpu_system_seconds > before.cpu_system_seconds
    assert parts == pytest.approx(cpu_between(before, after), abs=0.05)


def test_children_and_threads_count(source: CounterSource, target: Target, obedient: Obedient) -> None:
    alone = source.read(target)
    obedient.do("pid = forked(lambda: (burn(0.2), time.sleep(60)))")
    obedient.do("stop = threading.Event(); threading.Thread(target=stop.wait, daemon=True).start()")
    assert alone.memory_bytes is not None
    until(lambda: cpu_between(alone, source.read(target)) >= 0.2)
    both = source.read(target)
    assert (both.processes, both.threads) == (2, 3)
    obedient.do("stop.set(); os.kill(pid, 9); os.waitpid(pid, 0)")
    assert source.read(target).processes == 1


def test_the_time_of_a_child_that_was_waited_for_is_kept_once(
    source: CounterSource, target: Target, obedient: Obedient
) -> None:
    before = source.read(target)
    obedient.do("pid = forked(lambda: (burn(0.3), time.sleep(60)))")
    until(lambda: cpu_between(before, source.read(target)) >= 0.3)
    obedient.do("os.kill(pid, 9); os.waitpid(pid, 0)")
    for _ in range(3):
        assert cpu_between(before, source.read(target)) == pytest.approx(0.3, abs=ELSE)


def test_the_time_of_a_child_that_came_and_went_between_two_readings_is_seen(
    source: CounterSource, target: Target, obedient: Obedient
) -> None:
    before = source.read(target)
    obedient.do("os.waitpid(forked(lambda: burn(0.2)), 0)")
    after = source.read(target)
    assert cpu_between(before, after) == pytest.approx(0.2, abs=ELSE)
    assert after.cpu_resolution_seconds is not None


def test_the_time_of_a_child_that_nobody_waits_for_is_kept_once(
    source: CounterSource, target: Target, obedient: Obedient
) -> None:
    obedient.do("signal.signal(signal.SIGCHLD, signal.SIG_IGN)")
    before = source.read(target)
    obedient.do("pid = forked(lambda: (burn(0.3), time.sleep(60)))")
    until(lambda: cpu_between(before, source.read(target)) >= 0.3)
    last = source.read(target)
    obedient.do("os.kill(pid, 9)")
    until(lambda: source.read(target).processes == 1)
    for _ in range(3):
        assert 0 <= cpu_between(last, source.read(target)) < ELSE


def test_the_time_of_a_grandchild_whose_parent_ended_is_kept_once(
    source: CounterSource, target: Target, obedient: Obedient
) -> None:
    before = source.read(target)
    work = "forked(lambda: (burn(0.3), time.sleep(60))), burn(0.2), time.sleep(60)"
    obedient.do(f"pid = forked(lambda: (os.setpgid(0, 0), {work}))")
    until(lambda: cpu_between(before, source.read(target)) >= 0.5)
    last = source.read(target)
    assert last.processes == 3
    obedient.do("os.killpg(pid, 9); os.waitpid(pid, 0)")
    until(lambda: source.read(target).processes == 1)
    for _ in range(3):
        assert -0.001 <= cpu_between(last, source.read(target)) < ELSE


def test_a_child_that_left_its_parents_is_followed(source: CounterSource, target: Target, obedient: Obedient) -> None:
    before = source.read(target)
    obedient.do("r, w = os.pipe()")
    inner = "forked(lambda: (burn(0.3), time.sleep(60)))"
    obedient.do(f"os.waitpid(forked(lambda: {inner}), 0)")
    until(lambda: cpu_between(before, source.read(target)) >= 0.3)
    assert source.read(target).processes == 2


def test_counters_never_go_down_while_processes_come_and_go(
    source: CounterSource, target: Target, obedient: Obedient
) -> None:
    obedient.do("import random")
    storm = "[os.waitpid(forked(lambda: burn(random.random() * 0.02)), 0) for _ in range(60)]"
    obedient.do("pid = forked(lambda: (signal.signal(signal.SIGCHLD, signal.SIG_DFL), " + storm + ", time.sleep(60)))")
    obedient.do("signal.signal(signal.SIGCHLD, signal.SIG_IGN)")
    obedient.do(
        "threading.Thread(target=lambda: [(forked(lambda: burn(0.01)), time.sleep(0.01)) for _ in range(40)]).start()"
    )
    last = source.read(target)
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        reading = source.read(target)
        for name in ("cpu_seconds", "cpu_user_seconds", "cpu_system_seconds", "read_bytes", "write_bytes", "at"):
            assert getattr(reading, name) >= getattr(last, name)
        last = reading


def test_written_bytes_are_seen(source: CounterSource, target: Target, obedient: Obedient, tmp_path: Path) -> None:
    before = source.read(target)
    path = tmp_path / "file"
    obedient.do(f"f = open({str(path)!r}, 'wb'); f.write(b'x' * 3_000_000); f.flush(); os.fsync(f.fileno())")
    after = source.read(target)
    assert before.write_bytes is not None
    assert after.write_bytes is not None
    assert 3_000_000 <= after.write_bytes - before.write_bytes < 4_000_000


def test_two_targets_do_not_mix(
    source: CounterSource, target: Target, obedient: Obedient, processes: Processes
) -> None:
    idle = processes.start().target("database:shop")
    before = source.read(target), source.read(idle)
    obedient.do("burn(0.2)")
    assert cpu_between(before[0], source.read(target)) >= 0.2
    assert cpu_between(before[1], source.read(idle)) < ELSE


def test_new_children_of_each_of_two_targets_are_seen_at_once(source: CounterSource, processes: Processes) -> None:
    pair = [processes.start() for _ in "ab"]
    targets = [obedient.target(name) for obedient, name in zip(pair, "ab", strict=True)]
    assert [source.read(target).processes for target in targets] == [1, 1]
    for obedient in pair:
        obedient.do("forked(lambda: time.sleep(60))")
    assert [source.read(target).processes for target in targets] == [2, 2]


def test_a_child_that_is_found_later_comes_with_all_that_it_used(target: Target, obedient: Obedient) -> None:
    source = ProcessTreeSource(discovery_seconds=2.0)
    before = source.read(target)
    obedient.do("forked(lambda: (burn(0.2), time.sleep(60)))")
    assert source.read(target).processes == 1
    until(lambda: source.read(target).processes == 2)
    until(lambda: cpu_between(before, source.read(target)) >= 0.2)
    assert cpu_between(before, source.read(target)) < 0.2 + ELSE
    source.close()


def test_memory_of_a_process_that_slept_is_seen_as_soon_as_it_runs(
    source: CounterSource, target: Target, obedient: Obedient
) -> None:
    before, still = source.read(target), source.read(target)
    obedient.do("kept = b'x' * 50_000_000")
    after = source.read(target)
    assert before.memory_bytes is not None
    assert still.memory_bytes is not None
    assert after.memory_bytes is not None
    assert after.memory_bytes - still.memory_bytes == pytest.approx(50e6, rel=0.05)
    assert still.memory_bytes == pytest.approx(before.memory_bytes, abs=1e6)


def test_a_target_that_ended_is_gone_and_stays_gone(source: CounterSource, target: Target, obedient: Obedient) -> None:
    source.read(target)
    source.look(target)
    obedient.end()
    for ask in (source.look, source.read, source.read, source.look):
        with pytest.raises(TargetGone, match="executor"):
            ask(target)


def test_a_target_that_ended_but_was_not_waited_for_is_gone(
    source: CounterSource, target: Target, obedient: Obedient
) -> None:
    source.read(target)
    os.kill(obedient.process.pid, signal.SIGKILL)
    with pytest.raises(TargetGone):
        read_until_gone(source, target)


def test_a_target_that_never_was_is_gone(source: CounterSource) -> None:
    with pytest.raises(TargetGone):
        source.read(Target("executor", pid=2**22 + 1, cgroup="/snipbench-test-that-never-was"))


def test_readers_in_several_threads_do_not_disturb_each_other(source: CounterSource, target: Target) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        readings = list(pool.map(lambda _: source.read(target), range(100)))
    assert all(reading.processes == 1 for reading in readings)


def test_descriptors_are_given_back(target: Target, obedient: Obedient) -> None:
    before = of_the_kernel()
    source = ProcessTreeSource()
    for _ in range(20):
        obedient.do("pid = forked(lambda: time.sleep(60))")
        source.read(target)
        obedient.do("os.kill(pid, 9); os.waitpid(pid, 0)")
        source.read(target)
    assert of_the_kernel() <= before + 3
    source.close()
    assert of_the_kernel() == before


@pytest.mark.root  # nobody else can become somebody whom the kernel refuses
def test_what_the_kernel_refuses_to_tell_is_none_not_zero(target: Target, obedient: Obedient) -> None:
    code = (
        "import os, sys; from snipbench.resources.process_tree import ProcessTreeSource;"
        "from snipbench.resources.port import Target; s = ProcessTreeSource(sys.argv[2]); os.setuid(65534);"
        "c = s.read(Target('executor', pid=int(sys.argv[1])));"
        "print(c.read_bytes, c.write_bytes, c.memory_bytes is None, c.cpu_seconds > 0)"
    )
    expected = {"rss": "None None False True", "pss": "None None True True"}
    for memory, told in expected.items():
        done = subprocess.run(
            [sys.executable, "-c", code, str(target.pid), memory],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=240,
            check=True,
        )
        assert done.stdout.strip() == told


ITSELF = """
import os, resource, time
from snipbench.resources.port import Target
from snipbench.resources.process_tree import ProcessTreeSource

def spent():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

source = ProcessTreeSource()
me = Target("self", pid=os.getpid())
outside, before, inside = spent(), source.read(me), spent()
end = time.thread_time() + 0.5
while time.thread_time() < end:
    pass
ended, after, later = spent(), source.read(me), spent()
print(ended - inside, after.cpu_seconds - before.cpu_seconds, later - outside)
"""


def test_a_process_can_watch_itself() -> None:
    """One without children: what those use is its own too."""
    done = subprocess.run(
        [sys.executable, "-c", ITSELF], cwd=ROOT, capture_output=True, text=True, timeout=240, check=True
    )
    within, told, around = map(float, done.stdout.split())
    tick = 2 / os.sysconf("SC_CLK_TCK")  # each reading may be as old as the last tick
    assert within - tick <= told <= around + tick
