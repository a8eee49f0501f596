"""What the numbers say, in plain words and rounded so that a person can hold them."""

from __future__ import annotations

from typing import Any

from snipbench.statistics import MINIMUM_PAIRS


def duration(seconds: float | None) -> str:
    """``21 µs``, ``231 ms``, ``4.13 s``, ``2 min 5 s``; ``–`` when missing."""
    if seconds is None:
        return "–"
    if 0 < seconds < 0.995e-4:
        return f"{seconds * 1e6:.2g} µs"
    if seconds < 0.9995:
        milliseconds = seconds * 1e3
        return f"{milliseconds:.1f} ms" if milliseconds < 9.95 else f"{milliseconds:.0f} ms"
    if seconds < 119.995:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def brief(seconds: float | None) -> str:
    """``0.31 µs``, ``12 µs``; from a millisecond on as :func:`duration`."""
    if seconds is None or seconds >= 0.9995e-3:
        return duration(seconds)
    microseconds = seconds * 1e6
    return f"{microseconds:.2f} µs" if microseconds < 9.995 else f"{microseconds:.0f} µs"


def size(count: float | None) -> str:
    """Bytes as ``12.3 MB`` (powers of ten); ``–`` when missing."""
    if count is None:
        return "–"
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(count) >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count:.0f} B"


def percent(share: float | None) -> str:
    """A share as ``62 %``; below 1 % with a digit more; ``–`` when missing."""
    if share is None:
        return "–"
    return f"{share * 100:.{0 if abs(share) >= 0.01 else 1}f} %".replace("-", "−")


def several(count: int, what: str) -> str:
    """``1 run``, ``3 runs``."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def sessions(count: int) -> str:
    """``one session``, ``3 sessions``."""
    return "one session" if count == 1 else several(count, "session")


def measured(experiment: dict[str, Any]) -> str:
    """How an experiment of an outcome was measured: ``source jdbc, one session``."""
    most = max((snippet["sessions"] for snippet in experiment["snippets"]), default=0)
    return f"source {experiment['source']}, {sessions(most)}"


def measure(value: float | None, name: str) -> str:
    """A value of a measure in the unit that its name ends with."""
    return duration(value) if name.endswith("_seconds") else size(value)


def ratio_cell(ratio: dict[str, Any] | None) -> str:
    """``0.37 (0.34–0.40)``; the median alone when the interval is missing, ``–`` when all is."""
    if ratio is None or ratio["median"] is None:
        return "–"
    if ratio["low"] is None or ratio["high"] is None:
        return f"{ratio['median']:.2f}"
    return f"{ratio['median']:.2f} ({ratio['low']:.2f}–{ratio['high']:.2f})"


def factor(ratio: float) -> str:
    """Ratio variant / baseline as a factor: ``2.7× faster``, ``1.12× slower``, ``the same``."""
    if round(max(ratio, 1 / ratio), 2) == 1:
        return "the same"
    return f"{times(ratio)} {'faster' if ratio < 1 else 'slower'}"


def times(ratio: float) -> str:
    """``2.7×``, whichever side is the greater: for a text that tells the direction elsewhere."""
    greater = max(ratio, 1 / ratio)
    return f"{greater:.{2 if greater < 1.5 else 1 if greater < 20 else 0}f}×"


def claim(ratio: dict[str, Any]) -> tuple[str, str]:
    """What a ratio of an outcome lets one say, and between which bounds: ``("2.7× faster", "2.5–2.9×")``.

    ``ratio`` has a median. Where there are too few pairs for a claim, the second text tells how many.
    """
    verdict = ratio["verdict"]
    if verdict in {"faster", "slower"}:
        low, middle, high = _times(ratio, faster=verdict == "faster")
        return f"{middle}× {verdict}", f"{low}–{high}×"
    said = "no difference" if verdict == "no_difference" else "inconclusive"
    if ratio["low"] is None or ratio["high"] is None or ratio["pairs"] < MINIMUM_PAIRS:
        return said, f"{several(ratio['pairs'], 'pair')} only"
    return said, f"{factor(ratio['low'])} to {factor(ratio['high'])}"


def parameters_text(parameters: dict[str, Any]) -> str:
    """``max_orderkey=30000``."""
    return " ".join(f"{name}={value}" for name, value in parameters.items())


def sentence(snippet: dict[str, Any], baseline: str) -> str | None:
    """``pandas is 2.7× faster than row, 95 % 2.5–2.9, 20 pairs, one session``; ``None`` without a comparison.

    Of what computes something else, or may do so, only that is said.
    """
    ratio = snippet["ratio_to_baseline"]
    who = f"{snippet['name']}{_where(snippet)}"
    if snippet["equal_to_baseline"] is False:
        return f"{who} computes something else than {baseline}: their times are not compared"
    if ratio is None or ratio["median"] is None:
        return None
    if snippet["equal_to_baseline"] is None:
        return f"{who} is not known to compute what {baseline} does: their times are not compared"
    verdict = ratio["verdict"]
    pairs = f"{ratio['pairs']} pairs, {sessions(snippet['sessions'])}"
    if verdict in {"faster", "slower"}:
        low, middle, high = _times(ratio, faster=verdict == "faster")
        return f"{who} is {middle}× {verdict} than {baseline}, 95 % {low}–{high}, {pairs}"
    if verdict == "no_difference":
        return f"{who} and {baseline} show no difference: ratio {ratio_cell(ratio)}, {pairs}"
    return f"{who} against {baseline} is inconclusive: ratio {ratio_cell(ratio)}, {pairs}"


def sentences(experiment: dict[str, Any]) -> list[str]:
    """One sentence for each variant of an experiment of an outcome, and for all that drifted."""
    said = []
    for snippet in experiment["snippets"]:
        if snippet.get("role") == "floor":
            continue
        text = sentence(snippet, str(snippet.get("baseline")))
        if text is not None:
            said.append(text)
        if (drifting := _drifting(snippet)) is not None:
            said.append(drifting)
    return said


def _drifting(snippet: dict[str, Any]) -> str | None:
    """``row was not steady: its times grew by 12 % over the runs of a session``; ``None`` where no drift was found."""
    drift = snippet.get("drift")
    if snippet.get("steady") is not False or drift is None:
        return None
    change = f"{'grew' if drift > 1 else 'fell'} by {abs(drift - 1) * 100:.0f} %"
    return f"{snippet['name']}{_where(snippet)} was not steady: its times {change} over the runs of a session"


def _where(snippet: dict[str, Any]) -> str:
    return f" ({parameters_text(snippet['parameters'])})" if snippet["parameters"] else ""


def _times(ratio: dict[str, Any], *, faster: bool) -> tuple[str, str, str]:
    """Low, median, high as a factor above 1, with as many digits as tell them apart."""
    values = (ratio["low"], ratio["median"], ratio["high"])
    factors = sorted(1 / value if faster else value for value in values)
    digits = 2 if factors[1] < 1.5 else 1 if factors[1] < 20 else 0
    low, middle, high = (f"{factor:.{digits}f}" for factor in factors)
    return low, middle, high
