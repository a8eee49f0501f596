"""A decorated function's own state: what is known of it, its options, and how closely its calls are looked at now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snipbench.profiling import functions
from snipbench.profiling.delivery import process
from snipbench.profiling.texts import DEFAULT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

OBSERVE_SECONDS = 200e-6
"""A function whose calls take longer than this on the running mean has CPU, memory and texts read at every call.

The readings cost some microseconds (``make bench`` shows them), hence a few per cent at most.
"""
_WEIGHT = 0.125


class Probe:
    """State of one decorated function.

    ``close`` says whether the next call is observed in full: a function's first call is; then those made while the
    running mean of its wall time is above :data:`OBSERVE_SECONDS`, which one slow call switches on for the calls that
    follow it; and one call after each spill of a full buffer, as a sample. Threads write here without a lock: at
    worst one call more or less is observed.
    """

    __slots__ = ("always", "close", "facts", "key", "limit", "mean_seconds", "names", "on_look", "rest", "texts")

    def __init__(
        self,
        facts: functions.FunctionFacts,
        *,
        always: bool = False,
        texts: bool = True,
        limit: int = DEFAULT_LIMIT,
        names: tuple[str, ...] = (),
        rest: str | None = None,
    ) -> None:
        self.facts = facts
        self.key = facts.key
        self.always = always
        self.texts = texts
        self.limit = limit
        self.names = names
        self.rest = rest
        self.close = True
        self.on_look: Callable[[bool], None] | None = None
        """Told whenever ``close`` changes."""
        self.mean_seconds: float | None = None

    def woken_by(self, seconds: float) -> None:
        """A call that was not observed took long: look at the next ones."""
        self.mean_seconds = seconds
        self.look(closely=True)

    def look(self, *, closely: bool) -> None:
        """Observe the next calls in full, or not."""
        if closely is not self.close:
            self.close = closely
            if self.on_look is not None:
                self.on_look(closely)

    def settle(self, seconds: float) -> None:
        """An observed call took ``seconds``: update the running mean, and look away where it is low."""
        mean = self.mean_seconds
        mean = seconds if mean is None else mean + (seconds - mean) * _WEIGHT
        self.mean_seconds = mean
        self.look(closely=self.always or mean > OBSERVE_SECONDS)

    def __reduce__(self) -> tuple[Callable[..., Probe], tuple[Any, ...]]:
        """Pickled by value (as Spark does with a UDF), a function takes its source along, and where its calls go."""
        facts = self.facts
        options = {
            "always": self.always,
            "texts": self.texts,
            "limit": self.limit,
            "names": self.names,
            "rest": self.rest,
        }
        return _restored, (facts.class_name, facts.function_name, facts.source, options, process.carried())


def _restored(
    class_name: str | None,
    function_name: str,
    source: tuple[bytes | None, str | None],
    options: dict[str, Any],
    carried: dict[str, Any] | None,
) -> Probe:
    if carried is not None:
        process.adopt(carried)
    return Probe(functions.register(class_name, function_name, source=source), **options)


def probe_of(
    function: Callable[..., Any],
    *,
    always: bool,
    texts: bool,
    limit: int,
    class_name: str | None,
    name: str | None,
) -> Probe:
    """The probe of a function that is being decorated."""
    code: CodeType | None = getattr(function, "__code__", None)
    kind = type(function).__name__
    owner, _, own_name = getattr(function, "__qualname__", kind).rpartition(".")
    owner = owner.rpartition("<locals>")[2].removeprefix(".")
    names: tuple[str, ...] = ()
    rest: str | None = None
    if code is not None:
        names = code.co_varnames[: code.co_argcount]
        if code.co_flags & 0x04:
            rest = code.co_varnames[code.co_argcount + code.co_kwonlyargcount]
    facts = functions.register(class_name or owner or None, name or own_name, code=code)
    return Probe(facts, always=always, texts=texts, limit=limit, names=names, rest=rest)
