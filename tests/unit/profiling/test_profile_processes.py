"""Nothing lost and nothing twice over exit, fork, multiprocessing, signals, pickling."""

from __future__ import annotations

from collections import Counter

import pytest

PREAMBLE = """
import asyncio, atexit, multiprocessing, os, signal, sys, threading, time
from snipbench.profiling import configure, drain, flush, lost_calls, profile

@profile
def leaf(n):
    return n

@profile
def outer(action):
    return action()
"""


def counts(rows):
    return Counter(row["function_name"] for row in rows)


def distinct(rows):
    ids = {row["call_id"] for row in rows}
    assert len(ids) == len(rows)
    return ids


@pytest.mark.parametrize("end", ["", "sys.exit(3)", "raise SystemExit(3)", "1 / 0"])
def test_a_program_that_ends_leaves_every_call(program, spooled, end):
    expect = 0 if not end else 1 if "/" in end else 3
    program(PREAMBLE + f"\nfor n in range(10_007): leaf(n)\n{end}\n", expect=expect)
    rows = spooled()
    distinct(rows)
    assert counts(rows) == {"leaf": 10_007}


def test_calls_of_exit_functions_and_daemon_threads_count(program, spooled):
    program(
        PREAMBLE
        + """
atexit.register(lambda: [leaf(n) for n in range(5)])
called = threading.Event()
def work():
    leaf(0)
    called.set()
    time.sleep(600)
threading.Thread(target=work, daemon=True).start()
called.wait()
leaf(1)
atexit.register(lambda: [leaf(n) for n in range(5)])
"""
    )
    assert counts(spooled()) == {"leaf": 12}


def test_a_forked_child_has_its_own_calls_only(program, spooled):
    program(
        PREAMBLE
        + """
for n in range(100): leaf(n)
child = os.fork()
for n in range(1_000): leaf(n)
if child == 0:
    grandchild = os.fork()
    for n in range(10): leaf(n)
    if grandchild == 0:
        sys.exit(0)
    os.waitpid(grandchild, 0)
    sys.exit(0)
os.waitpid(child, 0)
"""
    )
    rows = spooled()
    distinct(rows)
    assert sorted(Counter(row["process_id"] for row in rows).values()) == [10, 1_010, 1_100]
    assert len({row["unique_app_id"] for row in rows}) == 1


def test_a_memory_sink_starts_empty_in_a_forked_child(program):
    program(
        PREAMBLE
        + """
for n in range(5_000): leaf(n)
flush()
child = os.fork()
leaf(0)
rows = drain()
assert len(rows) == (1 if child == 0 else 5_001), len(rows)
assert all(row["process_id"] == os.getpid() for row in rows)
if child:
    assert os.waitpid(child, 0)[1] == 0
""",
        spool=False,
    )


def test_a_call_under_way_at_the_fork_belongs_to_the_parent_and_is_the_parent_of_the_child_s(program, spooled):
    program(
        PREAMBLE
        + """
def split():
    child = os.fork()
    leaf(child)
    return child
child = outer(split)
leaf(0)
if child: os.waitpid(child, 0)
"""
    )
    rows = spooled()
    distinct(rows)
    assert counts(rows) == {"outer": 1, "leaf": 4}
    (whole,) = [row for row in rows if row["function_name"] == "outer"]
    inside = [row for row in rows if row["parent_id"] == whole["call_id"]]
    assert len(inside) == 2
    assert len({row["process_id"] for row in inside}) == 2


def test_a_fork_in_one_thread_while_others_record_and_flush(program, spooled):
    program(
        PREAMBLE
        + """
stop = threading.Event()
done = []
def work():
    number = 0
    while not stop.is_set():
        leaf(0)
        number += 1
        if number % 500 == 0: time.sleep(0.002)
    done.append(number)
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
children = []
for _ in range(20):
    child = os.fork()
    if child == 0:
        for n in range(50): outer(lambda: leaf(0))
        flush()
        os._exit(0)
    children.append(child)
    time.sleep(0.005)
for child in children: assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads: thread.join()
print(sum(done))
"""
    )
    rows = spooled()
    distinct(rows)
    per_process = Counter(row["process_id"] for row in rows)
    assert sorted(per_process.values())[:20] == [100] * 20
    assert len(per_process) == 21


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_lose_nothing(program, spooled, method):
    program(
        PREAMBLE
        + f"""
def work(n):
    for _ in range(n): leaf(0)

def in_context():
    context = multiprocessing.get_context("{method}")
    children = [context.Process(target=work, args=(700,)) for _ in range(3)]
    for child in children: child.start()
    for child in children: child.join()
    with context.Pool(2) as pool:
        pool.map(work, [10, 20, 30, 40])  # its workers end by SIGTERM, at once

if __name__ == "__main__":
    work(5)
    in_context()
"""
    )
    rows = spooled()
    distinct(rows)
    assert counts(rows) == {"leaf": 5 + 2_100 + 100}


def test_a_terminated_child_ends_by_the_signal_and_one_with_a_handler_keeps_it(program, spooled):
    program(
        PREAMBLE
        + """
import signal

def work(own, ready):
    if own:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(5))
    leaf(0)
    ready.set()
    time.sleep(60)

for own, code in ((False, -signal.SIGTERM), (True, 5)):
    ready = multiprocessing.Event()
    child = multiprocessing.Process(target=work, args=(own, ready))
    child.start()
    ready.wait()
    child.terminate()
    child.join()
    assert child.exitcode == code, child.exitcode
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
"""
    )
    assert counts(spooled())["leaf"] >= 1


def test_after_flush_a_process_may_vanish(program, spooled):
    program(PREAMBLE + "\nfor n in range(10): leaf(n)\nflush()\nos._exit(7)\n", expect=7)
    assert counts(spooled()) == {"leaf": 10}


def test_calls_older_than_the_flush_interval_survive_a_kill(program, spooled):
    program(
        PREAMBLE
        + """
child = os.fork()
if child == 0:
    for n in range(10): leaf(n)
    time.sleep(600)
for n in range(3): leaf(n)
from snipbench.profiling import read_directory
end = time.monotonic() + 60
while len(read_directory(os.environ["SNIPBENCH_PROFILE_DIR"]).rows) < 13 and time.monotonic() < end:
    time.sleep(0.02)
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
os.kill(os.getpid(), signal.SIGKILL)
""",
        expect=-9,
    )
    assert counts(spooled()) == {"leaf": 13}


def test_a_function_pickled_by_value_takes_source_folder_task_and_slot_along(program, spooled, tmp_path):
    program(
        PREAMBLE
        + f"""
from pyspark import cloudpickle
from snipbench.profiling import DirectorySink
configure(sink=DirectorySink({str(tmp_path / "calls")!r}), task_id="task-9", slot_id="slot-9", app_id="here")

@profile
async def waiting(n):
    return n

@profile
def counting(n):
    yield n

with open({str(tmp_path / "functions.pickle")!r}, "wb") as file:
    cloudpickle.dump([outer, leaf, waiting, counting], file)
""",
        spool=False,
    )
    program(
        f"""
import asyncio, os, pickle
def load():
    with open({str(tmp_path / "functions.pickle")!r}, "rb") as file:
        return pickle.load(file)
for _ in range(2):
    outer, leaf, waiting, counting = load()
    assert outer(lambda: leaf(3)) == 3
    assert asyncio.run(waiting(1)) == 1
    assert list(counting(2)) == [2]
from snipbench.profiling import flush
flush()
os._exit(0)
""",
        spool=False,
    )
    rows = spooled()
    assert counts(rows) == {"outer": 2, "leaf": 2, "waiting": 2, "counting": 2}
    assert {(row["task_id"], row["slot_id"], row["unique_app_id"]) for row in rows} == {("task-9", "slot-9", "here")}
    assert all(row["source_code_md5_hash"] for row in rows)
    outers = {row["call_id"] for row in rows if row["function_name"] == "outer"}
    assert {row["parent_id"] for row in rows if row["function_name"] == "leaf"} == outers


def test_importing_is_cheap_and_starts_nothing(program):
    text = """
import typing, re, threading, contextvars, sys, time
start = time.thread_time()
from snipbench.profiling import profile
seconds = time.thread_time() - start
assert threading.active_count() == 1
heavy = {"inspect", "json", "dataclasses", "logging", "asyncio", "hashlib", "pyspark", "pyarrow", "numpy"}
heavy &= set(sys.modules)
assert not heavy, heavy
print(seconds)
"""
    program(text, spool=False)  # writes the bytecode
    seconds = min(float(program(text, spool=False).stdout) for _ in range(3))
    assert seconds < 0.1, "what is heavy takes longer, on a slow machine too"


def test_a_worker_ends_though_its_main_thread_never_sees_that_it_is_to(program, spooled):
    program("""
        import multiprocessing, signal, threading
        from snipbench import profiling

        @profiling.profile
        def leaf():
            pass

        def work():
            leaf()
            profiling.flush()
            leaf()
            taker = threading.Thread(target=threading.Event().wait, daemon=True)
            taker.start()
            # another thread takes the signal: the main one is not woken by it
            threading.Timer(0.3, lambda: signal.pthread_kill(taker.ident, signal.SIGTERM)).start()
            multiprocessing.Semaphore(0).acquire()

        if __name__ == "__main__":
            worker = multiprocessing.get_context("fork").Process(target=work)
            worker.start()
            worker.join(60)
            assert worker.exitcode == -signal.SIGTERM, worker.exitcode
    """)
    assert len(spooled()) == 2
