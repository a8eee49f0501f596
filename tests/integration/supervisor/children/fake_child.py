"""A child of many misdeeds, started by the supervisor's tests in the Spark session's place."""

import ctypes
import mmap
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from executor.channel import Cancelled, serve, shielded

CHANNEL = int(os.environ["SNIPBENCH_CHANNEL"])
seen = {"cancels": 0}


def echo(body):
    return body


def facts(body):
    return {
        "threads": threading.active_count(),
        "channel_inheritable": os.get_inheritable(CHANNEL),
        "channel_variable": os.environ.get("SNIPBENCH_CHANNEL"),
        "cancels": seen["cancels"],
        "session": os.getsid(0),
        "directory": str(Path.cwd()),
        "mark": os.environ.get("MARK"),
    }


def fail(body):
    raise ValueError(body["message"])


def leave(body):
    sys.exit("a snippet asked to leave")


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no")


def fail_unprintably(body):
    raise Unprintable


def sleep(body):
    time.sleep(body["seconds"])
    return {"slept": body["seconds"]}


def spin(body):
    deadline = time.monotonic() + body["seconds"]
    while time.monotonic() < deadline:
        pass
    return {}


def swallow(body):
    """Loses the first interrupt as a finaliser would."""
    try:
        time.sleep(60)
    except Cancelled:
        time.sleep(60)


def clean_up(body):
    try:
        time.sleep(60)
    except Cancelled:
        with shielded():
            time.sleep(1.2)
            return {"cleaned": True}


def defy(body):
    """Deaf to everything that Python can do."""
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})
    ctypes.CDLL(None).sleep(600)


def allocate(body):
    hoard = []
    while True:
        hoard.append(bytearray(os.urandom(1) * 2**24))
        time.sleep(0.005)


def allocate_in_grandchild(body):
    if os.fork() == 0:
        allocate(body)
    time.sleep(600)


def allocate_shared(body):
    hoard = []
    while True:
        block = mmap.mmap(-1, 2**24)
        block.write(b"x" * 2**24)
        hoard.append(block)
        time.sleep(0.005)


def share(body):
    """Fork children that share ``bytes`` with this process: counted naively that is (children + 1) times as much."""
    hoard = bytearray(b"x") * body["bytes"]
    children = []
    for _ in range(body["children"]):
        pid = os.fork()
        if pid == 0:
            signal.pause()
        children.append(pid)
    time.sleep(body["seconds"])
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return {"length": len(hoard)}


def say(body):
    line = body["text"] * body.get("times", 1)
    for _ in range(body.get("lines", 1)):
        sys.stdout.write(line + "\n")
    sys.stderr.write(body.get("error", ""))
    return {}


def exit_at_once(body):
    os.write(1, b"last words\n")
    os._exit(body["code"])


def crash(body):
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(60)


def send_raw(body):
    """Write to the channel past the protocol."""
    with socket.socket(fileno=os.dup(CHANNEL)) as channel:
        channel.sendall(body["text"].encode() * body.get("times", 1))
    if body.get("wait"):
        time.sleep(600)
    return {}


def answer_large(body):
    return {"text": "x" * body["bytes"]}


def answer_unsendable(body):
    return {"value": object()}


def close_channel(body):
    os.close(CHANNEL)
    time.sleep(600)


def daemonise(body):
    """Leave daemons of every kind: same session, own session, double fork; all deaf to SIGTERM and SIGHUP."""
    folder = Path(body["folder"])
    for depth in range(3):
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            for _ in range(depth):
                os.setsid()
                if os.fork():
                    os._exit(0)
            (folder / str(os.getpid())).touch()
            while True:
                time.sleep(60)
    while len(list(folder.iterdir())) < 3:
        time.sleep(0.01)
    return {}


def kill_parent(body):
    os.kill(os.getppid(), body["signal"])
    time.sleep(body.get("seconds", 600))
    return {}


def count_cancel():
    seen["cancels"] += 1


def main():
    operations = [
        echo, facts, fail, leave, fail_unprintably, sleep, spin, swallow, clean_up, defy, allocate,
        allocate_in_grandchild, allocate_shared, share, say, exit_at_once, crash, send_raw, answer_large,
        answer_unsendable, close_channel, daemonise, kill_parent,
    ]  # fmt: skip
    serve(
        {operation.__name__: operation for operation in operations},
        on_cancel=count_cancel if "--on-cancel" in sys.argv else None,
    )


if __name__ == "__main__":
    main()
