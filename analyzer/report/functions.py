"""The section "Functions": what profile passes found, ranked by own time, in plain words."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer import words
from snipbench.domain.profile import FunctionCost, Profile
from snipbench.records import profile_from_document
from snipbench.store.port import DocumentStore


@dataclass(frozen=True, slots=True)
class FunctionRow:
    """A function's line, as text; ``share`` is its part of the own time of all, 0 to 1."""

    name: str
    calls: str
    own: str
    share: float
    total: str
    mean: str
    p95: str
    cpu: str
    cpu_told: str
    memory: str
    exceptions: int


@dataclass(frozen=True, slots=True)
class PointTable:
    """One parameter point. ``notes`` say what the figures leave out; ``failure`` why the pass failed."""

    parameters: str
    sentence: str
    failure: str | None
    notes: list[str]
    rows: list[FunctionRow]


@dataclass(frozen=True, slots=True)
class ProfiledSnippet:
    """A snippet with its points, and the source of each of its functions, once."""

    name: str
    points: list[PointTable]
    sources: list[tuple[str, str]]


def profiled_snippets(store: DocumentStore, task_id: str) -> list[ProfiledSnippet]:
    """Every snippet of the task that was profiled, the one with the most own time at a point first."""
    found: dict[str, list[Profile]] = {}
    for document in store.find("profiles", {"task_id": task_id}):
        profile = profile_from_document(document)
        found.setdefault(f"{profile.experiment}/{profile.snippet}", []).append(profile)
    ranked = sorted(found.items(), key=lambda item: (-max(profile.own_seconds for profile in item[1]), item[0]))
    return [_snippet(name, profiles) for name, profiles in ranked]


def _snippet(name: str, profiles: list[Profile]) -> ProfiledSnippet:
    sources: dict[tuple[str, str | None], tuple[str, str]] = {}
    for profile in profiles:
        for cost in profile.functions:
            if cost.source is not None:
                sources.setdefault((cost.name, cost.source_md5), (cost.name, cost.source))
    in_order = sorted(profiles, key=lambda profile: -profile.own_seconds)
    return ProfiledSnippet(name, [_point(profile) for profile in in_order], list(sources.values()))


def _point(profile: Profile) -> PointTable:
    failure = profile.failure
    return PointTable(
        parameters=words.parameters_text(dict(profile.parameters)),
        sentence=_sentence(profile),
        failure=None if failure is None else f"{failure.kind}: {failure.message.partition(chr(10))[0]}",
        notes=_notes(profile),
        rows=[_row(cost, profile.own_seconds) for cost in profile.functions],
    )


def _sentence(profile: Profile) -> str:
    """``run takes 97 % of the time itself: 30,012 calls of 1.2 µs each``."""
    if not profile.functions:
        return "no call was recorded"
    worst = profile.functions[0]
    share = worst.own_seconds / profile.own_seconds if profile.own_seconds > 0 else 0.0
    calls = "once" if worst.calls == 1 else f"{worst.calls:,} times, {words.brief(worst.mean_seconds)} each"
    raised = f"; {worst.exceptions:,} of the calls raised" if worst.exceptions else ""
    return f"{worst.name} takes {share:.0%} of the functions' time itself: called {calls}{raised}"


def _notes(profile: Profile) -> list[str]:
    uncounted = sum(cost.uncounted_calls for cost in profile.functions)
    notes = []
    if profile.kept_calls < profile.calls:
        notes.append(
            f"the lake keeps the first {profile.kept_calls:,} of {profile.calls:,} calls; all are in these sums"
        )
    if profile.seconds is not None and profile.own_seconds > profile.seconds:
        notes.append(
            f"the own times add up to more than the {words.brief(profile.seconds)} that all took: calls that wait or "
            "run at the same time overlap"
        )
    if uncounted:
        notes.append(f"{uncounted:,} calls beyond the bound are counted and not timed")
    if profile.lost_calls:
        notes.append(f"{profile.lost_calls:,} calls could not be written and are missing")
    if profile.broken_lines:
        notes.append(f"{profile.broken_lines:,} pieces of calls could not be read and are missing")
    return notes


def _row(cost: FunctionCost, whole: float) -> FunctionRow:
    cpu, told = "–", "read in no call"
    if cost.cpu_seconds is not None and cost.observed_seconds > 0:
        cpu = f"{cost.cpu_seconds / cost.observed_seconds:.0%}"
        told = (
            f"{words.brief(cost.cpu_seconds)} of CPU in {words.brief(cost.observed_seconds)}, "
            f"read in {cost.observed_calls:,} of {cost.calls:,} calls"
        )
    return FunctionRow(
        name=cost.name,
        calls=f"{cost.calls:,}",
        own=words.brief(cost.own_seconds),
        share=cost.own_seconds / whole if whole > 0 else 0.0,
        total=words.brief(cost.total_seconds),
        mean=words.brief(cost.mean_seconds),
        p95=words.brief(cost.p95_seconds),
        cpu=cpu,
        cpu_told=told,
        memory=words.size(cost.memory_growth_bytes),
        exceptions=cost.exceptions,
    )
