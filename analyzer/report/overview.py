"""The first screen: which form is faster, by how much, and does it compute the same?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from analyzer import words


@dataclass(frozen=True, slots=True)
class Answer:
    """What the measurements say of one baseline at one parameter point.

    ``css`` is the verdict that colours the claim; ``name`` is ``None`` where no variant stands out.
    """

    experiment: str
    measured: str
    baseline: str
    point: str
    name: str | None
    claim: str
    bounds: str
    times: str
    others: str
    result: str
    result_css: str
    css: str


def answers(experiments: Iterable[dict[str, Any]]) -> list[Answer]:
    """One answer for each baseline that has variants and each parameter point, in the order's order."""
    found = []
    for experiment in experiments:
        families: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for snippet in experiment["snippets"]:
            key = (snippet["baseline"], words.parameters_text(snippet["parameters"]))
            families.setdefault(key, []).append(snippet)
        for (_, point), family in families.items():
            baseline = next(one for one in family if one["role"] == "baseline")
            variants = [one for one in family if one["role"] == "variant"]
            if variants:
                found.append(_answer(experiment, point, baseline, variants))
    return found


def _answer(experiment: dict[str, Any], point: str, baseline: dict[str, Any], variants: list[dict[str, Any]]) -> Answer:
    where, name = (str(experiment["name"]), words.measured(experiment)), str(baseline["name"])
    sound = [one for one in variants if one["equal_to_baseline"] is True and _median(one) is not None]
    by_verdict: dict[str, list[dict[str, Any]]] = {}
    for one in sorted(sound, key=lambda one: _median(one) or 0.0):
        by_verdict.setdefault(one["ratio_to_baseline"]["verdict"], []).append(one)
    verdict = next((word for word in ("faster", "no_difference", "inconclusive", "slower") if word in by_verdict), None)
    result, result_css = _results(variants)
    if verdict is None:
        why = "runs failed" if any(one["failed"] for one in (baseline, *variants)) else ""
        return Answer(*where, name, point, None, "no comparison", why, "", "", result, result_css, "")
    shown = by_verdict[verdict][0]
    said, bounds = words.claim(shown["ratio_to_baseline"])
    if verdict != "inconclusive":
        said = f"{said} than {name}" if verdict in {"faster", "slower"} else f"{said} from {name}"
    return Answer(
        experiment=where[0],
        measured=where[1],
        baseline=name,
        point=point,
        name=str(shown["name"]),
        claim=said,
        bounds=bounds,
        times=f"{_wall(baseline)} → {_wall(shown)}",
        others=_others(by_verdict, shown),
        result=result,
        result_css=result_css,
        css=verdict,
    )


def _others(by_verdict: dict[str, list[dict[str, Any]]], shown: dict[str, Any]) -> str:
    said = []
    for verdict, members in by_verdict.items():
        rest = [one for one in members if one is not shown]
        if rest and verdict in {"faster", "slower"}:
            factors = (f"{one['name']} {words.times(_median(one) or 1.0)}" for one in rest)
            said.append(f"{verdict}: {', '.join(factors)}")
        elif rest:
            said.append(f"{verdict.replace('_', ' ')}: {', '.join(one['name'] for one in rest)}")
    return "; ".join(said)


def _results(variants: list[dict[str, Any]]) -> tuple[str, str]:
    wrong = [str(one["name"]) for one in variants if one["equal_to_baseline"] is False]
    unsure = [str(one["name"]) for one in variants if one["equal_to_baseline"] is None]
    if wrong:
        return f"other result: {', '.join(wrong)}", "wrong"
    if unsure:
        return f"not known to be equal: {', '.join(unsure)}", "unsure"
    return "same result" if len(variants) == 1 else f"same result, all {len(variants)}", "same"


def _median(snippet: dict[str, Any]) -> float | None:
    ratio = snippet["ratio_to_baseline"]
    return None if ratio is None else ratio["median"]


def _wall(snippet: dict[str, Any]) -> str:
    return words.duration(snippet["wall_seconds"]["median"])
