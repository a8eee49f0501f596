"""Several sources as one: each target is read by the one that suits it best."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from snipbench.domain.run import Counters
from snipbench.errors import MonitorError
from snipbench.resources.port import CounterSource, Target

Suits = Callable[[Target], bool]


class CombinedSource:
    """Implements :class:`snipbench.resources.port.CounterSource`.

    Args:
        choices: which targets a source is for, first match first; the sources become this one's to close.
    """

    name = "auto"

    def __init__(self, choices: Sequence[tuple[Suits, CounterSource]]) -> None:
        self._choices = tuple(choices)

    def name_for(self, target: Target) -> str:
        """See the port; ``none`` where nothing suits the target."""
        chosen = self._chosen(target)
        return "none" if chosen is None else chosen.name_for(target)

    def read(self, target: Target) -> Counters:
        """See the port. MonitorError where nothing suits the target."""
        chosen = self._chosen(target)
        if chosen is None:
            raise MonitorError(f"{target.name}: there is no source of counters for it here")
        return chosen.read(target)

    def look(self, target: Target) -> None:
        """See the port."""
        chosen = self._chosen(target)
        if chosen is not None:
            chosen.look(target)

    def close(self) -> None:
        """See the port."""
        for _, source in self._choices:
            source.close()

    def _chosen(self, target: Target) -> CounterSource | None:
        return next((source for suits, source in self._choices if suits(target)), None)


def in_group(target: Target) -> bool:
    """Whether its control group is known."""
    return target.cgroup is not None


def in_container(target: Target) -> bool:
    """Whether it is a container."""
    return target.container_id is not None


def is_process(target: Target) -> bool:
    """Whether it is a process that can be seen from here."""
    return target.pid is not None
