"""The training table as CSV, in a folder or an object store."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from analyzer.addresses import opened
from analyzer.models.training_table import TrainingTable
from snipbench.errors import UsageError
from snipbench.records import parameters_to_text

_FRONT = ("task_id", "experiment", "snippet", "parameters", "template", "group")


def table_text(table: TrainingTable, classes: Sequence[str]) -> str:
    """Header line and one line per row: place, features, runs, the target in its unit, its class. Unknown is empty."""
    features = sorted(table.rows[0].features) if table.rows else []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_FRONT, *features, "runs", table.target.value, "class"])
    for row, label in zip(table.rows, classes, strict=True):
        place = (row.task_id, row.experiment, row.snippet, parameters_to_text(row.parameters), row.template, row.group)
        values = [row.features[name] for name in features]
        writer.writerow([*place, *values, row.runs, repr(row.target), label])
    return text.getvalue()


def write_table(table: TrainingTable, classes: Sequence[str], folder: str, name: str) -> str:
    """Write ``folder/name.csv`` and return its address.

    Args:
        table: what was trained on.
        classes: class of each row.
        folder: a path, ``s3://BUCKET/PREFIX``, or another URL; see :func:`analyzer.addresses.opened`.
        name: file's name without its ending.

    Raises:
        UsageError: it cannot be written there.
    """
    address = f"{folder.rstrip('/')}/{name}.csv"
    try:
        with opened(address, make_folders=True) as file:
            file.write(table_text(table, classes).encode())
    except (OSError, ValueError, ImportError) as error:
        raise UsageError(f"cannot write the training table to {address}: {error}") from error
    return address
