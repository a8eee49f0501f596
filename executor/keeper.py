"""The keeper: a tiny process between the supervisor and its child that answers for the child's whole process tree.

It starts the child, adopts every orphan below itself, holds the tree to its memory cap, and ends the tree completely
when the child ends, when the cap is passed, or when the control socket closes: the supervisor asked, or was killed.
It has one thread and loads little, so that it starts in some 20 ms; should it be killed itself, the child's
parent-death signal and the supervisor's sweep take over.

Control messages to the supervisor, one JSON object per line: ``{"event": "started", "pid"}``, ``{"event": "memory_cap",
"used_bytes", "cap_bytes", "measure"}``, ``{"event": "ended", "exit_code" | "signal"}``.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import time

from executor.process_tree import TreeMemory, descendants, kill

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
MEMORY_INTERVAL_SECONDS = 0.1
PARENT_INTERVAL_SECONDS = 1.0
RECHECK_SECONDS = 1.0
"""The exact measure is not taken more often than this while it contradicts the estimate."""

UNKILLABLE_SECONDS = 30.0
"""A process in an uninterruptible wait, or another user's, is left after this long."""

OUT_OF_MEMORY_SCORE = b"500"
"""Should the machine itself run out, the kernel takes the child rather than the command or a database."""


def main(settings: str, argv: list[str]) -> None:
    """Keep ``argv`` until it ends.

    ``settings`` is JSON: the descriptors ``control`` and ``channel``, ``cap`` in bytes or null, ``parent`` process id.
    """
    options = json.loads(settings)
    control = socket.socket(fileno=options["control"])
    control.set_inheritable(False)
    keeper = Keeper(control, options["cap"], options["parent"])
    keeper.start(argv, options["channel"])
    keeper.keep()


class Keeper:
    """One child and everything below it."""

    def __init__(self, control: socket.socket, cap_bytes: int | None, supervisor: int) -> None:
        self._control = control
        self._cap = cap_bytes
        self._supervisor = supervisor
        self._memory = TreeMemory(os.getpid())
        self._no_exact_before = 0.0
        self._child = 0
        self._child_ended = False
        self._terminated = False
        self._wake, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_terminate)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def start(self, argv: list[str], channel: int) -> None:
        """Start the child, which inherits descriptor ``channel``."""
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
        keeper = os.getpid()
        self._child = os.fork()
        if self._child == 0:
            _become(argv, keeper)
        os.close(channel)
        self._tell(event="started", pid=self._child)

    def keep(self) -> None:
        """Watch until there is a reason to end; then end the tree."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        interval = PARENT_INTERVAL_SECONDS if self._cap is None else MEMORY_INTERVAL_SECONDS
        while not (self._child_ended or self._terminated or os.getppid() != self._supervisor):
            ready = {descriptor for descriptor, _ in poll.poll(interval * 1000)}
            if self._control.fileno() in ready:  # nothing is ever sent here: this is its end
                break
            if self._wake in ready:
                os.read(self._wake, 4096)
                self._reap()
            elif self._over_cap():
                break
        self._end_tree()

    def _over_cap(self) -> bool:
        if self._cap is None:
            return False
        used, measure = self._memory.estimate(), TreeMemory.ESTIMATE
        if used <= self._cap or time.monotonic() < self._no_exact_before:
            return False
        exact = self._memory.exact()
        if exact is not None:
            used, measure = exact, TreeMemory.EXACT
        if used <= self._cap:
            self._no_exact_before = time.monotonic() + RECHECK_SECONDS
            return False
        self._tell(event="memory_cap", used_bytes=used, cap_bytes=self._cap, measure=measure)
        return True

    def _end_tree(self) -> None:
        deadline = time.monotonic() + UNKILLABLE_SECONDS
        while (victims := descendants(os.getpid())) and time.monotonic() < deadline:
            kill(victims)
            self._reap()
            time.sleep(0.002)

    def _reap(self) -> None:
        """Collect the child and adopted orphans that ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._child:
                self._child_ended = True
                if os.WIFSIGNALED(status):
                    self._tell(event="ended", signal=os.WTERMSIG(status))
                else:
                    self._tell(event="ended", exit_code=os.WEXITSTATUS(status))

    def _tell(self, **message: object) -> None:
        try:
            self._control.sendall(json.dumps(message).encode() + b"\n")
        except OSError:  # the supervisor is gone; the tree is ended all the same
            self._terminated = True

    def _on_terminate(self, *_: object) -> None:
        self._terminated = True


def _become(argv: list[str], keeper: int) -> None:
    """In the forked child: turn into ``argv``. Does not return."""
    try:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == keeper:  # else it died before the call above
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # an ignored signal stays ignored in a new program
            _stand_first_for_the_kernel()
            os.execvp(argv[0], argv)
    except OSError as error:
        os.write(2, f"cannot start {argv[0]}: {error}\n".encode())
    finally:
        os._exit(127)


def _stand_first_for_the_kernel() -> None:
    try:
        with open("/proc/self/oom_score_adj", "wb", buffering=0) as file:  # noqa: PTH123 - pathlib is slow to load
            file.write(OUT_OF_MEMORY_SCORE)
    except OSError:  # a read-only /proc, as in some containers: a courtesy less
        return


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), f"prctl({option})")
