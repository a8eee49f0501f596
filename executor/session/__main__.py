"""``python -m executor.session``: serves the supervisor that started it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from executor.channel import serve
from snipbench.domain.spark_master import is_local


class Main:
    """Knows one request, ``start``, until Spark runs; then all of the session's."""

    def __init__(self) -> None:
        self.handlers: dict[str, Any] = {"start": self.start}
        self.session: Any = None

    def start(self, body: dict[str, Any]) -> Mapping[str, object]:
        """Start Spark as the body says. Replies with versions, slots, settings and seconds."""
        from executor.session.cluster import executors
        from executor.session.session import Session
        from executor.session.start import start, versions

        begun = perf_counter()
        spark = start(
            body["master"],
            dict(body["conf"]),
            tuple(body["jars"]),
            Path(body["work_directory"]),
            Path(body["log_directory"]),
            self_test=body["self_test"],
        )
        facts = versions(spark) | {
            "conf": sorted([name, value] for name, value in spark.sparkContext.getConf().getAll()),
            "slots": spark.sparkContext.defaultParallelism,
            "executors": None if is_local(body["master"]) else executors(spark),
        }
        self.session = Session(spark, os.getpid(), whole=is_local(body["master"]))
        self.handlers |= self.session.handlers()
        return facts | {"seconds": perf_counter() - begun}

    def cancel(self) -> None:
        """End the request under way."""
        if self.session is not None:
            self.session.cancel()

    def interrupted(self) -> None:
        """What the main thread does ends here."""
        if self.session is not None:
            self.session.interrupted()


if __name__ == "__main__":
    main = Main()
    serve(main.handlers, on_cancel=main.cancel, on_interrupt=main.interrupted)
