"""How a proof is run: what is shown to whom, when sessions rest, what ends it. Sessions and data are played here;
``tests/integration/proving`` has real ones."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from analyzer.proof.judging import judge
from analyzer.proof.planning import MUTATED, DataCopy, Side, plan_proof
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
from snipbench.errors import SessionLost, TaskCancelled

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


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def honest(world: World) -> str:
    return world.truth


def test_an_honest_faster_candidate_is_verified_on_all_copies_with_twenty_pairs_twice(stage: Stage) -> None:
    verdict, steps = stage.prove(honest)
    assert verdict is Verdict.VERIFIED
    assert [step.data_copy for step in steps if step.name is StepName.EQUALITY][:6] == [
        "clone",
        "clone",
        "second",
        "mutated",
        "extreme",
        "empty",
    ]
    timed = [step for step in steps if step.name in {StepName.PAIRS, StepName.CONFIRMATION}]
    assert [len(step.pairs) for step in timed] == [20, 20]
    assert timed[0].ratio is not None
    assert timed[0].ratio.median == pytest.approx(0.49 / 0.99), "what loading takes is taken off both sides"
    assert stage.world.changes == 40, "the data changed before every pair"
    assert all(step.started_at and step.ended_at for step in steps[1:])


def test_only_the_pairs_are_timed(stage: Stage) -> None:
    """Warm-ups are made by both sides at once, so a time of theirs would mean nothing."""
    stage.prove(honest)
    assert stage.world.log.count("time original") == stage.world.log.count("time candidate") == 2 * 20


@pytest.mark.parametrize("copy", [copy.value for copy in DataCopy if copy not in MUTATED[1:]])
def test_a_candidate_that_is_wrong_on_one_copy_is_found_out(stage: Stage, copy: str) -> None:
    verdict, _ = stage.prove(lambda world: "other" if world.data == copy else world.truth)
    assert verdict is Verdict.WRONG_RESULT


def test_an_answer_kept_from_the_first_run_is_found_out(stage: Stage) -> None:
    kept: list[str] = []

    def keeping(world: World) -> str:
        kept.append(world.truth)
        return kept[0]

    assert stage.prove(keeping)[0] is Verdict.WRONG_RESULT


def test_an_answer_kept_by_the_copy_it_belongs_to_is_found_out_while_it_is_timed(stage: Stage) -> None:
    kept: dict[str, str] = {}
    verdict, steps = stage.prove(lambda world: kept.setdefault(f"{world.data} {world.parameters}", world.truth))
    assert verdict is Verdict.WRONG_RESULT
    assert any("in a timed pair" in step.detail and not step.passed for step in steps)


def test_results_of_five_timed_pairs_of_each_session_are_compared_and_the_steps_say_so(stage: Stage) -> None:
    _, steps = stage.prove(honest)
    assert sum("in a timed pair: the same result on clone" in step.detail for step in steps) == 10
    assert sum("between two timed pairs: the same result" in step.detail for step in steps) == 4


def test_where_neither_has_a_row_nothing_was_compared(stage: Stage) -> None:
    """A filter that only rows of the clone get through: what is wrong with NULLs or ties would not show elsewhere."""
    stage.world.bare = {"second", "mutated"}
    verdict, steps = stage.prove(honest)
    assert verdict is Verdict.INCONCLUSIVE
    assert {step.data_copy for step in steps if step.empty} == {"second", "mutated"}
    shown = dict.fromkeys(step.data_copy for step in steps if step.name is StepName.EQUALITY)
    assert {copy.value for copy in MUTATED} <= set(shown), "a gentler copy may have a row"
    assert not any(step.data_copy in stage.world.bare for step in steps if "between two" in step.detail)


def test_a_gentler_mutated_copy_with_a_row_will_do(stage: Stage) -> None:
    stage.world.bare = {"mutated", "mutated_values"}
    assert stage.prove(honest)[0] is Verdict.VERIFIED


def test_an_answer_kept_once_it_stopped_changing_is_found_out_on_a_copy_shown_in_between(stage: Stage) -> None:
    """Rows that go between the pairs do not change every result. How often it is asked tells a candidate the phase."""
    answers: list[str] = []

    def keeping(world: World) -> str:
        known = len(answers) > 3 and len(set(answers[-4:])) == 1
        answers.append(answers[-1] if known else world.data)
        return answers[-1]

    verdict, steps = stage.prove(keeping, lambda world: world.data)
    assert verdict is Verdict.WRONG_RESULT
    assert any("between two timed pairs" in step.detail for step in steps)
    assert stage.world.log.count("show clone") >= 2, "the pairs go on with the clone"


def test_a_parameter_s_value_written_into_the_code_is_found_out(stage: Stage) -> None:
    verdict, steps = stage.prove(lambda world: world.truth.replace("875", "1000"))
    assert verdict is Verdict.WRONG_RESULT
    assert "rows=875" in steps[-1].detail


def test_an_original_that_refuses_parameters_that_the_order_does_not_have_is_proved_at_the_others(stage: Stage) -> None:
    def original(world: World) -> str:
        if world.parameters != POINT:
            raise ValueError("no such point")
        return world.truth

    verdict, steps = stage.prove(honest, original)
    assert verdict is Verdict.VERIFIED
    assert [step.status for step in steps if "rows=875" in step.detail] == [StepStatus.SKIPPED]


@pytest.mark.parametrize("failing", MUTATED[:-1])
def test_gentler_mutated_copies_are_taken_where_the_original_fails(stage: Stage, failing: DataCopy) -> None:
    harder = [copy.value for copy in MUTATED[: MUTATED.index(failing) + 1]]

    def original(world: World) -> str:
        if world.data in harder:
            raise ValueError("cannot take it")
        return world.truth

    verdict, steps = stage.prove(honest, original)
    assert verdict is Verdict.VERIFIED
    shown = dict.fromkeys(step.data_copy for step in steps if step.name is StepName.EQUALITY)
    assert [copy.value for copy in MUTATED] == [copy for copy in shown if str(copy).startswith("mutated")]


def test_a_candidate_that_fails_has_failed_and_a_killed_session_is_a_failure(stage: Stage) -> None:
    def fails(world: World) -> str:
        if world.data == "empty":
            raise ValueError("no rows")
        return world.truth

    def dies(world: World) -> str:
        if world.data == "second":
            raise SessionLost("it was killed")
        return world.truth

    assert stage.prove(fails)[0] is Verdict.FAILED
    assert stage.prove(dies)[0] is Verdict.FAILED


def test_a_candidate_that_fails_only_while_it_is_timed_has_failed(stage: Stage) -> None:
    def fails(world: World) -> str:
        if world.changes > 5:
            raise ValueError("enough")
        return world.truth

    verdict, steps = stage.prove(fails)
    assert verdict is Verdict.FAILED
    assert "enough" in steps[-1].detail


@pytest.mark.parametrize(
    ("seconds", "verdict", "steps"),
    [
        ((1.0,), Verdict.EQUAL_NOT_FASTER, 1),
        ((2.0,), Verdict.EQUAL_NOT_FASTER, 1),
        ((0.5, 1.0), Verdict.INCONCLUSIVE, 2),
    ],
)
def test_what_is_not_faster_is_not_confirmed_and_what_is_not_confirmed_is_open(
    stage: Stage, seconds: Sequence[float], verdict: Verdict, steps: int
) -> None:
    found, made = stage.prove(honest, seconds=seconds)
    assert found is verdict
    assert sum(step.name in {StepName.PAIRS, StepName.CONFIRMATION} for step in made) == steps


def test_views_that_spark_keeps_are_made_anew_for_every_copy_and_parameters_vary_instead_of_rows(stage: Stage) -> None:
    verdict, _ = stage.prove(honest, cached=True)
    assert verdict is Verdict.VERIFIED
    assert stage.world.changes == 0
    prepared = [line for line in stage.world.log if line.startswith("prepare original")]
    second = prepared.index(prepared[0], 1)
    for session in (prepared[:second], prepared[second:]):
        assert len(session) == len(set(session)) > 4, "a name per copy"


@pytest.mark.parametrize("point", [(("rows", 3),), (("another", 1000),), (("rows", True),), ()])
def test_views_that_spark_keeps_are_made_anew_for_every_pair_where_no_parameter_can_vary(
    stage: Stage, point: Any
) -> None:
    assert stage.prove(honest, cached=True, points=(point,))[0] is Verdict.VERIFIED
    assert stage.world.changes == 40
    assert sum(line.startswith("prepare candidate") for line in stage.world.log) > 40


@pytest.mark.parametrize("cached", [False, True])
def test_where_no_row_can_go_parameters_vary(stage: Stage, cached: bool) -> None:
    stage.world.few = True
    met: list[Any] = []

    def noting(world: World) -> str:
        met.append(world.parameters)
        return world.truth

    assert stage.prove(noting, cached=cached)[0] is Verdict.VERIFIED
    assert len(set(met)) > 20, "a value for every pair"


@pytest.mark.parametrize("cached", [False, True])
def test_where_nothing_can_change_between_pairs_nothing_is_proved(stage: Stage, cached: bool) -> None:
    stage.world.few = True
    verdict, steps = stage.prove(honest, cached=cached, points=((("rows", 3),),))
    assert verdict is Verdict.INCONCLUSIVE
    assert steps[-1].detail.startswith("nothing could be changed between the pairs")


def test_a_session_that_does_not_start_leaves_the_proof_open(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Played) -> SessionFacts:
        raise SessionLost("no memory")

    monkeypatch.setattr(Played, "start", refuse)
    verdict, steps = stage.prove(honest)
    assert verdict is Verdict.INCONCLUSIVE
    assert "no memory" in steps[-1].detail


@pytest.mark.parametrize("moment", ["prepare candidate", "show second", "time candidate"])
def test_the_end_of_the_task_ends_the_proof_and_says_nothing_of_the_candidate(stage: Stage, moment: str) -> None:
    def endless(world: World) -> str:
        """At some moment it takes for ever, and the task is cancelled meanwhile."""
        if any(moment in told for told in world.log):
            stage.ending.tell(TaskCancelled("it was cancelled"))
            assert stage.killed.wait(60)
            raise SessionLost("the proof is to end")
        return world.truth

    with pytest.raises(TaskCancelled):
        stage.prove(endless)
    assert len([told for told in stage.world.log if told == "time candidate"]) <= 1


@pytest.mark.parametrize("moment", ["prepare candidate", "show second"])
def test_a_person_s_interrupt_waits_for_neither_side(stage: Stage, moment: str) -> None:
    def endless(world: World) -> str:
        if any(moment in told for told in world.log):
            assert threading.current_thread() is not threading.main_thread()
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            assert stage.killed.wait(60)
            raise SessionLost("the proof is to end")
        return world.truth

    with pytest.raises(KeyboardInterrupt):
        stage.prove(endless)
    assert stage.killed.is_set()
