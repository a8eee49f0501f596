"""What ``@snipbench.profile`` adds to a call, beside cProfile and an OpenTelemetry SDK span.

One process, a million calls of a tiny function for each contender (of the dear ones, ``always=True`` and the span, a
tenth of them), in rounds that take turns, so that a drift of the machine meets all alike; the figure is the median
round. Seconds are CPU time of the process, all its threads, which on an idle machine is the elapsed time and on a busy
one is not stretched by its neighbours in the machine. Those outside it, who share a processor's other half, stretch CPU
time too, up to twice; so the fastest round stands beside the median one, as :mod:`timeit` advises. Every call recorded
here is kept: nothing is dropped to look fast.
"""

from __future__ import annotations

import cProfile
import statistics
import tempfile
from collections.abc import Callable, Sequence
from time import process_time
from typing import Any

from benchmarks.result import Goal, Row
from snipbench import profiling

CALLS = 1_000_000
ROUNDS = 20
DEAR = ("always=True", "span")
GOAL_MICROSECONDS = 0.6
GOAL_SPAN_RATIO = 15

Loop = Callable[[int], float]


def tiny(x: int) -> int:
    return x


def timed(function: Callable[[int], Any], calls: int) -> float:
    """CPU seconds for ``calls`` calls in a plain loop."""
    numbers = range(calls)
    start = process_time()
    for number in numbers:
        function(number)
    return process_time() - start


def plain(calls: int) -> float:
    return timed(tiny, calls)


def with_sink(sink: profiling.Sink, function: Callable[[int], Any]) -> Loop:
    """The loop with calls going to ``sink``; handing over the last buffer is part of the time."""

    def loop(calls: int) -> float:
        profiling.configure(sink=sink)
        seconds = timed(function, calls)
        start = process_time()
        profiling.flush()
        return seconds + process_time() - start

    return loop


def under_cprofile(calls: int) -> float:
    profiler = cProfile.Profile()
    profiler.enable()
    try:
        return timed(tiny, calls)
    finally:
        profiler.disable()


def in_span() -> Loop | None:
    """A span of the SDK around each call, with no exporter, its cheapest form; null when it is not installed."""
    try:
        from opentelemetry.sdk.trace import TracerProvider
    except ImportError:
        return None
    tracer = TracerProvider().get_tracer("benchmark")

    def spanned(x: int) -> int:
        with tracer.start_as_current_span("tiny"):
            return tiny(x)

    return lambda calls: timed(spanned, calls)


def measure(calls: int) -> dict[str, list[float]]:
    """Microseconds per call of each contender's rounds; none for one that is not installed."""
    memory = profiling.MemorySink(max_bytes=1 << 30)
    with tempfile.TemporaryDirectory() as folder:
        contenders: dict[str, Loop | None] = {
            "plain": plain,
            "default": with_sink(memory, profiling.profile(tiny)),
            "default, to files": with_sink(profiling.DirectorySink(folder), profiling.profile(tiny)),
            "always=True": with_sink(memory, profiling.profile(always=True)(tiny)),
            "cProfile": under_cprofile,
            "span": in_span(),
        }
        rounds: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(ROUNDS):
            for name, loop in contenders.items():
                if loop is not None:
                    share = calls // ROUNDS // (10 if name in DEAR else 1)
                    rounds[name].append(loop(share) / share * 1e6)
        profiling.configure(sink=profiling.MemorySink())
    if lost := profiling.lost_calls() or memory.overflow_calls:
        raise SystemExit(f"calls were lost, the figures do not count: {lost}")
    return rounds


def run() -> Sequence[Row]:
    """What each contender adds to a call, and how many times the default fits into a span."""
    rounds = measure(CALLS)

    def added(name: str, of: Callable[[Sequence[float]], float] = statistics.median) -> float | None:
        return of(rounds[name]) - of(rounds["plain"]) if rounds[name] else None

    default, span = added("default"), added("span")
    ratio = span / default if span is not None and default else None
    return (
        Row("default, every call kept", default, "µs a call", Goal(at_most=GOAL_MICROSECONDS)),
        Row("default, every call kept, fastest round", added("default", min), "µs a call"),
        *(
            Row(name, added(name), "µs a call", note="" if rounds[name] else "not installed")
            for name in ("default, to files", "always=True", "cProfile", "span")
        ),
        Row("span ÷ default", ratio, "times", Goal(at_least=GOAL_SPAN_RATIO)),
    )
