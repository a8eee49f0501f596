"""``docs/lake.md``, generated: ``python -m snipbench.lake.documentation > docs/lake.md``."""

from __future__ import annotations

import sys

from snipbench.lake.tables import TABLES, VIEWS


def lake_markdown() -> str:
    """The page that describes every table and column."""
    lines = [
        "# The lake's tables",
        "",
        "Generated from `snipbench/lake/tables/`; do not edit.",
        "Delta tables, one folder each, partitioned by `task_id`. A missing value is null, never 0.",
        '`snipbench query "select …"` answers SQL over all of them.',
    ]
    for table in TABLES.values():
        lines += ["", f"## {table.name}", "", f"{table.description}.", "", "| column | type | unit | null | meaning |"]
        lines.append("|---|---|---|---|---|")
        lines += [
            f"| `{column.name}` | {column.type} | {column.unit} | {'yes' if column.nullable else 'no'} "
            f"| {column.description} |"
            for column in table.columns
        ]
    lines += ["", "## Views", "", "| view | meaning | statement |", "|---|---|---|"]
    lines += [f"| `{name}` | {description} | `{sql}` |" for name, (description, sql) in VIEWS.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(lake_markdown())
