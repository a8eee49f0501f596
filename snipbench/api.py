"""Running orders from Python."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class Table:
    """Rows of a lake table, for one task."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def to_arrow(self) -> pa.Table:
        """As an Arrow table."""
        return self._table

    def to_pandas(self) -> pd.DataFrame:
        """As a pandas DataFrame."""
        frame: pd.DataFrame = self._table.to_pandas()
        return frame


class Result:
    """A finished task. ``status`` is its end, ``outcome`` the document that ``snipbench run --json`` prints."""

    def __init__(self, lake: Path, outcome: dict[str, Any]) -> None:
        self._lake = lake
        self.outcome = outcome
        self.task_id: str = outcome["task_id"]
        self.status: str = outcome["status"]
        self.report: str | None = outcome["report"]

    def table(self, name: str) -> Table:
        """The task's rows of a lake table (``docs/lake.md`` names all).

        Raises:
            UsageError: there is no such table.
        """
        from snipbench.lake.reader import task_rows

        return Table(task_rows(self._lake, name, self.task_id))

    def runs(self) -> Table:
        """The accepted run of each slot."""
        return self.table("runs")

    def summaries(self) -> Table:
        """Median, interval and cost of each snippet."""
        return self.table("summaries")

    def comparisons(self) -> Table:
        """Paired ratios of variants to their baselines."""
        return self.table("comparisons")


def run(
    order: str | Path,
    *,
    home: str | Path = ".snipbench",
    warmups: int | None = None,
    repetitions: int | None = None,
    seed: int | None = None,
    databases: Literal["embedded", "docker"] = "embedded",
) -> Result:
    """Run an order file on this machine, from databases to report.

    Raises:
        OrderError: mistakes in the file, all of them.
        SnipbenchError: the platform could not run it; failed snippets are results, not errors.
    """
    from orchestrator import embedded, wiring
    from orchestrator.leading.progress import PlainProgress
    from orchestrator.orders import read_order

    overrides = {"warmups": warmups, "repetitions": repetitions, "seed": seed}
    read_order(Path(order), **overrides)  # before anything is made
    with wiring.embedded(Path(home), PlainProgress(sys.stderr), databases) as parts:
        _, outcome = embedded.run(parts, Path(order), overrides)
        return Result(parts.home.lake, outcome)
