"""Docker's own stats stream, one frame a second: for containers whose control group cannot be read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from snipbench.clock import Clock, SystemClock
from snipbench.domain.run import Counters
from snipbench.errors import MonitorError
from snipbench.resources.docker_frame import counters_of
from snipbench.resources.port import SourceStalled, Target, TargetGone

STALL_SECONDS = 1.5
"""Without a frame for so long the stream is stalled: frames come every second, and a stall is to be told within two,
on a busy machine too."""
FIRST_SECONDS = 4.0
"""The first frame may take longer."""
SILENCE_SECONDS = 10
"""After so long without a byte the connection is given up and made anew."""
RETRY_SECONDS = 0.5

Frames = Callable[[str], Iterable[Mapping[str, Any]]]
"""Gives the frames of a container as they come. LookupError: there is no such container, or not that life of it any
more. Else MonitorError."""


class DockerStreamSource:
    """Implements :class:`snipbench.resources.port.CounterSource` for targets with a ``container_id``.

    A reading is the newest frame that was not given out before; it is waited for, so reading more than once a second
    is no use. The counters are of the instant that the frame names, up to a second before the reading: never bracket
    a run with them. ``processes`` is not known to the engine.

    Args:
        frames: where frames come from; by default the engine that the environment names.
        clock: measures how long a frame is late.
    """

    name = "docker"

    def __init__(self, frames: Frames | None = None, *, clock: Clock | None = None) -> None:
        self._frames = frames or engine_frames()
        self._clock = clock or SystemClock()
        self._streams: dict[Target, Stream] = {}

    def name_for(self, target: Target) -> str:
        """See the port."""
        return self.name

    def read(self, target: Target) -> Counters:
        """See the port. Also SourceStalled; the stream may go on after it."""
        if target.container_id is None:
            raise MonitorError(f"{target.name}: the docker source needs a container")
        if target not in self._streams:
            self._streams[target] = Stream(target.container_id, self._frames, self._clock)
        with _named(target):
            return self._streams[target].newest()

    def look(self, target: Target) -> None:
        """See the port. Frames come every second, however far apart the readings are, so their lack is known."""
        if target in self._streams:
            with _named(target):
                self._streams[target].look()

    def close(self) -> None:
        """See the port."""
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()


@contextmanager
def _named(target: Target) -> Iterator[None]:
    """What a stream tells, with its target's name."""
    try:
        yield
    except MonitorError as error:
        raise type(error)(f"{target.name}: {error}") from error


class Stream:
    """The frames of one container, taken by a thread of their own."""

    def __init__(self, container_id: str, frames: Frames, clock: Clock) -> None:
        self._container_id = container_id
        self._frames = frames
        self._clock = clock
        self._changed = threading.Condition()
        self._fresh: Counters | None = None
        self._over: MonitorError | None = None
        self._trouble = ""
        self._closed = threading.Event()
        self._due = clock.monotonic() + FIRST_SECONDS
        # A daemon: a stopped engine must not keep the command from ending.
        threading.Thread(target=self._follow, name="docker-stats", daemon=True).start()

    def newest(self) -> Counters:
        """The newest counters not given out yet.

        Raises:
            TargetGone: the container does not run any more.
            MonitorError: the engine's answers cannot be understood.
            SourceStalled: no frame came in time.
        """
        with self._changed:
            while self._fresh is None and self._over is None:
                self._changed.wait(self._left())
            if self._over is not None:
                raise type(self._over)(str(self._over))
            assert self._fresh is not None
            newest, self._fresh = self._fresh, None
            return newest

    def look(self) -> None:
        """Raises as :meth:`newest` does. What it would give out may be older than the stall."""
        with self._changed:
            if self._over is not None:
                raise type(self._over)(str(self._over))
            self._left()

    def _left(self) -> float:
        """Seconds until the next frame is overdue; SourceStalled if it is."""
        left = self._due - self._clock.monotonic()
        if left <= 0:
            raise SourceStalled(f"the engine sends no statistics{self._trouble}")
        return left

    def close(self) -> None:
        """Let the thread end with the next frame, or when the connection has been silent for long."""
        self._closed.set()

    def _follow(self) -> None:
        while not self._closed.is_set() and self._over is None:
            try:
                for frame in self._frames(self._container_id):
                    if self._closed.is_set():
                        return
                    if not self._take(frame):
                        return
                self._end(TargetGone("its container was removed"))
            except LookupError:
                self._end(TargetGone("its container was removed or restarted"))
            except MonitorError as error:
                with self._changed:
                    self._trouble = f" ({error})"
                self._closed.wait(RETRY_SECONDS)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must end as an event and not as a silent thread
                self._end(MonitorError(f"its statistics cannot be understood: {type(error).__name__}: {error}"))

    def _take(self, frame: Mapping[str, Any]) -> bool:
        """Whether the container runs."""
        counters = counters_of(frame)
        if counters is None:
            self._end(TargetGone("its container ended"))
            return False
        with self._changed:
            self._fresh = counters
            self._trouble = ""
            self._due = self._clock.monotonic() + STALL_SECONDS
            self._changed.notify_all()
        return True

    def _end(self, why: MonitorError) -> None:
        with self._changed:
            self._over = why
            self._changed.notify_all()


def engine_frames() -> Frames:
    """Frames of the engine that the environment names.

    Raises:
        MonitorError: there is no client library, or its settings are wrong.
    """
    try:
        import docker
        import requests
        import urllib3
    except ImportError as error:
        raise MonitorError("monitor.source: docker needs the package docker") from error
    try:
        client = docker.from_env(timeout=SILENCE_SECONDS)
    except docker.errors.DockerException as error:
        raise MonitorError(f"the Docker engine cannot be asked: {error}") from error

    lives: dict[str, str] = {}
    """When each container was started, as its first frame found it."""

    def frames(container_id: str) -> Iterable[Mapping[str, Any]]:
        try:
            for frame in client.api.stats(container_id, stream=True, decode=True):
                # No frame tells of a restart, and the new counters may have overtaken the old ones by then.
                started = client.api.inspect_container(container_id)["State"]["StartedAt"]
                if lives.setdefault(container_id, started) != started:
                    raise LookupError(container_id)
                yield frame
        except docker.errors.NotFound as error:
            raise LookupError(container_id) from error
        except (
            docker.errors.DockerException,
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
        ) as error:
            raise MonitorError(str(error)) from error

    return frames
