"""The charts of one parameter point of an experiment: its baselines, each followed by what is compared with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from analyzer import words
from analyzer.report import charts
from snipbench.domain.run import Run, RunStatus
from snipbench.statistics import outlier_labels


@dataclass(frozen=True, slots=True)
class Group:
    """One parameter point; a chart without data is ``None``."""

    title: str
    ratios: Markup | None
    distributions: Markup | None
    splits: Markup | None


def groups(snippets: Iterable[dict[str, Any]], runs: list[Run]) -> list[Group]:
    """A group for each parameter point, from the snippets of an outcome and the experiment's measured runs."""
    points: dict[str, list[dict[str, Any]]] = {}
    for snippet in snippets:
        points.setdefault(words.parameters_text(snippet["parameters"]), []).append(snippet)
    return [_group(title, by_baseline(members), runs) for title, members in points.items()]


def by_baseline(snippets: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each baseline with its variants in the order's order, the platform's floor after them."""
    families: dict[str, list[dict[str, Any]]] = {}
    for snippet in snippets:
        families.setdefault(snippet["baseline"], []).append(snippet)
    places = {"baseline": 0, "variant": 1, "floor": 2}
    return [one for family in families.values() for one in sorted(family, key=lambda found: places[found["role"]])]


def sameness(snippet: dict[str, Any]) -> tuple[str, str]:
    """Whether a variant computes what its baseline does: words, and the class that colours them."""
    if snippet["equal_to_baseline"] is None:
        return "not known", "unsure"
    return ("same result", "same") if snippet["equal_to_baseline"] else ("other result", "wrong")


def _group(title: str, snippets: list[dict[str, Any]], runs: list[Run]) -> Group:
    ratios, distributions, splits = [], [], []
    for snippet in snippets:
        name = str(snippet["name"])
        ratios.append(_ratio(snippet))
        seconds = tuple(_wall(runs, snippet))
        if seconds:
            wall = snippet["wall_seconds"]
            distributions.append(
                charts.Distribution(
                    label=name,
                    values=seconds,
                    outliers=tuple(outlier_labels(seconds)),
                    median=wall["median"],
                    low=wall["low"],
                    high=wall["high"],
                    value=words.duration(wall["median"]),
                    css=snippet["role"],
                )
            )
        cpu = snippet["cpu_seconds"]
        splits.append(charts.Split(name, cpu["executor"]["median"], cpu["database"]["median"], snippet["role"]))
    compared = any(row.css != "baseline" for row in ratios)
    return Group(
        title=title,
        ratios=charts.ratios(ratios) if compared else None,
        distributions=charts.distributions(distributions) if distributions else None,
        splits=charts.splits(splits) if any(s.executor is not None or s.database is not None for s in splits) else None,
    )


def _ratio(snippet: dict[str, Any]) -> charts.Ratio:
    name, role, ratio = str(snippet["name"]), snippet["role"], snippet["ratio_to_baseline"]
    if role == "baseline":
        return charts.Ratio(name, role, words.duration(snippet["wall_seconds"]["median"]), "baseline")
    if ratio is None or ratio["median"] is None:
        failed = f"{snippet['failed']} of {snippet['runs']} runs failed" if snippet["failed"] else "no pair"
        return charts.Ratio(name, "inconclusive", "no figure", failed)
    if role == "floor":
        of = words.duration(snippet["wall_seconds"]["median"])
        return charts.Ratio(name, role, of, "input alone", ratio["median"], ratio["low"], ratio["high"])
    note, css = sameness(snippet)
    said, bounds = (
        words.claim(ratio) if snippet["equal_to_baseline"] else ("no claim", f"ratio {words.ratio_cell(ratio)}")
    )
    return charts.Ratio(name, ratio["verdict"], said, bounds, ratio["median"], ratio["low"], ratio["high"], note, css)


def _wall(runs: list[Run], snippet: dict[str, Any]) -> list[float]:
    return [
        run.outcome.wall_seconds
        for run in runs
        if run.snippet == snippet["name"]
        and dict(run.parameters) == snippet["parameters"]
        and run.outcome.status is RunStatus.OK
        and run.outcome.wall_seconds is not None
    ]
