"""The HTML report of a task: one file, no script, no network."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from analyzer import words
from analyzer.report.content import gather
from analyzer.report.facts import fact
from analyzer.report.functions import profiled_snippets
from snipbench.store.port import DocumentStore


def write_report(store: DocumentStore, task_id: str, directory: Path) -> Path:
    """Write ``directory/TASK.html`` from what the store holds; an earlier one is replaced as a whole.

    Returns:
        The file's path.
    """
    page = render(store, task_id)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{task_id}.html"
    partial = path.with_suffix(".html.partial")
    partial.write_text(page, "utf-8")
    partial.replace(path)
    return path


def render(store: DocumentStore, task_id: str) -> str:
    """The page as text."""
    environment = Environment(
        loader=PackageLoader("analyzer.report", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": words.duration,
        "fact": fact,
        "size": words.size,
        "measure": words.measure,
        "ratio": words.ratio_cell,
        "several": words.several,
        "parameters": words.parameters_text,
    }
    found = {"report": gather(store, task_id), "functions": profiled_snippets(store, task_id)}
    return environment.get_template("report.html").render(found)
