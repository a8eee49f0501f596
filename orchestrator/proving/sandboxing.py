"""Which sandbox there is on this machine, and what may run where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path

from executor.calls import SessionSpec
from executor.jail import Jail
from orchestrator.proving.port import ResultJudge, Sandboxing, Session
from snipbench.clock import Clock
from snipbench.resources.port import CounterSource

CONSENT = "SNIPBENCH_RUN_UNSANDBOXED"
"""Environment variable: ``yes`` lets candidates of a language model run without a sandbox, as the user."""

TRUSTED = frozenset({"rules"})
"""Advisors whose rewrites are mechanical: no more than the user's own code in another form."""


class BwrapSandboxing:
    """Sessions and judges in bubblewrap jails, or, where none can be had, without.

    What they need is loaded with the first of them: pandas takes half a second that few orders need to pay.
    """

    def __init__(self, clock: Clock, counter_source: CounterSource, environment: Mapping[str, str]) -> None:
        self._clock = clock
        self._source = counter_source
        self._environment = environment

    @cached_property
    def lack(self) -> str | None:
        """Why there is no jail here, found by trying once."""
        return Jail.available()

    @property
    def consent(self) -> bool:
        """Whether the user has agreed."""
        return self._environment.get(CONSENT, "").strip().lower() in {"yes", "true", "1"}

    def session(self, spec: SessionSpec) -> Session:
        from executor.proving import ProofSession

        if self.lack is None:
            return ProofSession(spec, self._clock, self._source, jail=Jail())
        return ProofSession(spec, self._clock, self._source, jail=None, reason=self.lack)

    def judge(self, work_directory: Path) -> AbstractContextManager[ResultJudge]:
        from executor.proving import Judge

        return Judge(work_directory, jail=Jail() if self.lack is None else None)


def refusal(sandboxing: Sandboxing, advisor: str) -> str | None:
    """Why nothing of this advisor's may run here; ``None`` if it may."""
    if sandboxing.lack is None or sandboxing.consent or advisor in TRUSTED:
        return None
    return (
        f"not run: there is no sandbox here ({sandboxing.lack}), and what {advisor} wrote runs without one only by "
        f"consent ({CONSENT}=yes)"
    )
