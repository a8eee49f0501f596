"""One measured session at a time on a machine: an advisory lock on a file that every user of the machine finds.

The kernel lets go of the lock when its holder dies in whatever way, so it cannot go stale; the file itself stays.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from snipbench.clock import Clock, SystemClock, to_text
from snipbench.errors import MachineError

DEFAULT_PATH = Path("/tmp/snipbench-measuring.lock")
"""Not under TMPDIR: that differs between users, and the lock would then lock nothing."""

POLL_SECONDS = 0.2
_DESCRIPTION_BYTES = 1024


class MachineLock:
    """Held from :meth:`acquire` to :meth:`release` or the end of this process. Not for several threads at once.

    Args:
        path: the lock's file; made, readable and writable for all, where there is none.
        clock: passes the time between two attempts.
    """

    def __init__(self, path: Path = DEFAULT_PATH, *, clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self._descriptor: int | None = None

    def acquire(
        self,
        what: str,
        *,
        on_wait: Callable[[str], None] | None = None,
        on_poll: Callable[[], None] | None = None,
    ) -> None:
        """Wait for the lock and take it.

        Args:
            what: who holds it from now on, shown to who waits (``snipbench run order.yaml``).
            on_wait: called with a description of the holder once waiting begins, and whenever the holder changes.
            on_poll: called before each further attempt; what it raises ends the waiting.

        Raises:
            MachineError: the file cannot be used.
        """
        if self._descriptor is not None:
            msg = f"{self._path} is held by this very object already"
            raise MachineError(msg)
        shown = None
        while (descriptor := self._try()) is None:
            holder = self._holder()
            if on_wait is not None and holder != shown:
                on_wait(holder)
                shown = holder
            if on_poll is not None:
                on_poll()
            self._clock.sleep(POLL_SECONDS)
        self._descriptor = descriptor
        self._describe(what)

    def release(self) -> None:
        """Let go; nothing happens when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @contextlib.contextmanager
    def held(
        self,
        what: str,
        *,
        on_wait: Callable[[str], None] | None = None,
        on_poll: Callable[[], None] | None = None,
    ) -> Iterator[None]:
        """:meth:`acquire`, then :meth:`release`."""
        self.acquire(what, on_wait=on_wait, on_poll=on_poll)
        try:
            yield
        finally:
            self.release()

    def _try(self) -> int | None:
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), self._path.stat(follow_symlinks=False)):
                return descriptor
        except (BlockingIOError, FileNotFoundError):  # held, or removed since it was opened
            os.close(descriptor)
            return None
        except OSError as error:
            os.close(descriptor)
            msg = f"{self._path} cannot be locked: {error}"
            raise MachineError(msg) from error
        os.close(descriptor)  # removed and made anew since it was opened
        return None

    def _open(self) -> int:
        """Open the file, without O_CREAT where it exists: in /tmp, Linux refuses that on another user's file."""
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            with contextlib.suppress(FileExistsError):
                descriptor = os.open(self._path, flags | os.O_CREAT | os.O_EXCL, 0o666)
                os.fchmod(descriptor, 0o666)  # past this process's umask
                return descriptor
            descriptor = os.open(self._path, flags)
        except OSError as error:
            msg = f"the machine's lock {self._path} cannot be opened ({error}); remove that file"
            raise MachineError(msg) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            msg = f"the machine's lock {self._path} is no regular file; remove it"
            raise MachineError(msg)
        return descriptor

    def _describe(self, what: str) -> None:
        assert self._descriptor is not None
        description = {"pid": os.getpid(), "user": _user(), "since": to_text(self._clock.now()), "what": what}
        line = json.dumps(description).encode()
        os.ftruncate(self._descriptor, 0)
        if len(line) <= _DESCRIPTION_BYTES:
            os.pwrite(self._descriptor, line, 0)

    def _holder(self) -> str:
        """What the holder wrote about itself. Any user can write there, so it is only ever shown, and made plain."""
        try:
            with self._path.open("rb") as file:
                told = json.loads(file.read(_DESCRIPTION_BYTES))
            text = f"{told['what']} (process {told['pid']} of {told['user']}, since {told['since']})"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"
        return "".join(character if character.isprintable() else "?" for character in text)


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
