"""A proof that is played: sessions whose snippets are functions of a small world, and the judge of what they write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analyzer.proof.judging import judge
from analyzer.proof.planning import DataCopy, Side, plan_proof
from analyzer.proof.steps import Step, StepName, StepStatus, Verdict
from executor.calls import PreparedFacts, PrepareRequest, SessionFacts, SessionSpec, SnippetCall
from executor.proving import ProofRun, Sandbox, WrittenResult
from orchestrator.leading.ending import Ending
from orchestrator.proving.duel import Duel
from orchestrator.proving.proof import ProofRunner, unavailable
from snipbench.clock import SystemClock
from snipbench.domain.order import Snippet
from snipbench.domain.result import Comparison, Equality
from snipbench.domain.run import Failure, RunStatus
from snipbench.errors import SessionLost

SCREENED = Step(StepName.SCREENING, StepStatus.PASSED, "nothing speaks against running it")
POINT = (("rows", 1000),)
ORIGINAL = Snippet(name="a", kind="sql", code="select id from t where id <= :rows", template="a")


@dataclass
class World:
    """The data that both sessions see, as one word, what they are called with, and everything that happened."""

    data: str = "clone"
    changes: int = 0
    few: bool = False
    """Whether no table has rows to spare."""
    bare: set[str] = field(default_factory=set)
    """Copies on which every result is without a row."""
    parameters: Any = ()
    log: list[str] = field(default_factory=list)

    def show(self, copy: DataCopy) -> None:
        self.data = copy.value
        self.log.append(f"show {copy.value}")

    def disturb(self, number: int) -> int:
        self.changes += not self.few
        return int(not self.few)

    @property
    def truth(self) -> str:
        return f"{self.data} {self.changes if self.data == 'clone' else ''} {self.parameters}"


Answer = Callable[[World], str]
"""What a side writes; raises to fail."""


@dataclass
class Played:
    """A session whose snippet is a function of the world."""

    side: str
    world: World
    answer: Answer
    seconds: float
    running: set[str]
    killed: threading.Event
    sandbox: Sandbox = field(default_factory=lambda: Sandbox("bwrap"))
    lost: str | None = None

    def start(self) -> SessionFacts:
        self.running.add(self.side)
        return SessionFacts("session", 1, "4", (), 0.1, "3", "17")

    def prepare(self, request: PrepareRequest) -> PreparedFacts:
        self.world.log.append(f"prepare {self.side} {request.application_name}")
        return PreparedFacts((), (), (), 0.0)

    def time(self, call: SnippetCall, timeout_seconds: float, *, into: Path, **_: Any) -> ProofRun:
        self.world.log.append(f"time {self.side}")
        written = self.write(call, into, timeout_seconds)
        if written.failure is not None:
            return ProofRun(RunStatus.FAILED, None, written.failure)
        return ProofRun(RunStatus.OK, self.seconds, None, 0.01, written)

    def write(self, call: SnippetCall, into: Path, timeout_seconds: float, **_: Any) -> WrittenResult:
        self.world.parameters = call.parameters
        try:
            text = self.answer(self.world)
        except SessionLost as error:
            self.lost = error.reason
            return WrittenResult(None, Failure("SessionLost", error.reason))
        except ValueError as error:
            return WrittenResult(None, Failure("ValueError", str(error)))
        into.mkdir(parents=True)
        (into / "result").write_text(text)
        return WrittenResult(into, size_bytes=len(text), sort_keys=("a",))

    def stop(self) -> None:
        self.running.discard(self.side)

    def kill(self, reason: str = "") -> None:
        self.killed.set()


@dataclass
class PlayedJudge:
    bare: set[str]

    def judge(
        self, baseline: WrittenResult, candidate: WrittenResult, float_tolerance: float, sort_keys: Sequence[str] = ()
    ) -> Comparison:
        assert tuple(sort_keys) == baseline.sort_keys
        assert baseline.path is not None
        assert candidate.path is not None
        ours, theirs = ((path / "result").read_text() for path in (baseline.path, candidate.path))
        if ours == theirs:
            return Comparison(Equality.EQUAL, "they are", rows=int(ours.split()[0] not in self.bare))
        return Comparison(Equality.DIFFERENT, "they are not", (f"baseline {ours}, variant {theirs}",))


@dataclass
class Stage:
    """Everything that a proof needs."""

    folder: Path
    world: World = field(default_factory=World)
    running: set[str] = field(default_factory=set)
    killed: threading.Event = field(default_factory=threading.Event)
    """Set when a session was killed."""
    ending: Ending = field(default_factory=lambda: Ending(SystemClock()))
    """Of the task."""

    def raise_if_ended(self) -> None:
        self.ending.raise_if_told()

    def at_the_end(self, call: Callable[[], None] | None) -> None:
        self.ending.at_the_end(call)

    def prove(
        self,
        candidate: Answer,
        original: Answer = lambda world: world.truth,
        *,
        seconds: Sequence[float] = (0.5, 0.5),
        cached: bool = False,
        points: Sequence[Any] = (POINT,),
    ) -> tuple[Verdict, list[Step]]:
        """The verdict; ``seconds`` are the candidate's in each of its sessions, the original takes 1."""
        times = iter(seconds)

        def duel(name: str) -> Duel:
            took = next(times)

            def session(spec: SessionSpec) -> Played:
                side = spec.work_directory.name
                answer, its = (original, 1.0) if side == "original" else (candidate, took)
                return Played(side, self.world, answer, its, self.running, self.killed)

            spec = SessionSpec("local", (), (), None, self.folder / name, self.folder / "logs")
            request = PrepareRequest("e", "jdbc:postgresql://h/d", "u", "p", "proof", ())
            sides: dict[Side, Snippet] = {"original": ORIGINAL, "candidate": ORIGINAL}
            results = self.folder / name / "results"
            return Duel(
                spec,
                session,
                request,
                sides,
                timeout_seconds=9.0,
                results=results,
                cancel=lambda application: None,
                ends=self,
            )

        runner = ProofRunner(
            plan=plan_proof(points, seed=7, subject="a", original=ORIGINAL.code),
            original=ORIGINAL,
            copies=self.world,  # type: ignore[arg-type]
            judge=PlayedJudge(self.world.bare),
            float_tolerance=1e-9,
            cached=cached,
            clock=SystemClock(),
            new_duel=duel,
            note=lambda text: None,
        )
        steps = [SCREENED]
        try:
            with unavailable(steps, SystemClock()):
                steps += runner.run()[0]
        finally:
            assert not self.running, "no session is left"
            assert not list(self.folder.rglob("result")), "nothing written is left"
        return judge(steps).verdict, steps


def honest(world: World) -> str:
    return world.truth
