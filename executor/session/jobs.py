"""One job group per request, so that cancelling a request ends its Spark jobs, those still to come included."""

from __future__ import annotations

from time import perf_counter, sleep
from typing import Any

from pyspark import SparkContext


class JobGroup:
    """The job group of the request under way."""

    def __init__(self, context: SparkContext) -> None:
        self._context = context
        self._java: Any = context._jsc.sc()
        self._client = context._gateway._gateway_client  # kept: a snippet may put what it likes there
        self._number = 0

    @property
    def name(self) -> str:
        """Name of the group; no two requests share one."""
        return f"snipbench-{self._number}"

    def begin(self, description: str) -> None:
        """Jobs of this thread belong to a new group from now on."""
        self._number += 1
        self._context.setJobGroup(self.name, description, interruptOnCancel=True)

    def cancel(self) -> None:
        """End the group's jobs; later jobs of the group fail at once. For any thread."""
        self._java.cancelJobGroupAndFutureJobs(self.name)

    def settle(self, seconds: float) -> str | None:
        """Wait until no task runs any more. What is wrong, if some go on for longer than ``seconds``."""
        deadline = perf_counter() + seconds
        while (running := self._running_tasks()) > 0:
            if perf_counter() > deadline:
                return f"{running} cancelled tasks still ran {seconds:g} s after their job had ended"
            sleep(0.01)
        return None

    def _running_tasks(self) -> int:
        executors = self._java.taskScheduler().runningTasksByExecutors().values().mkString(" ")
        return sum(int(count) for count in executors.split())

    def forget_connection(self) -> None:
        """Have this thread's next call to the JVM make a new connection, if the present one is in the middle of a call.

        The answer that nobody has read would be taken for that of the next call, and so on with each one after it. It
        is not closed here, where a signal's handler may stand in the midst of reading from it; whoever uses it
        holds the last reference to it.
        """
        connection = self._client.get_thread_connection()
        if connection is not None and connection not in self._client.deque:
            self._client.thread_connection.connection = None
