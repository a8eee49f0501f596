"""What of a plan is left to run, whatever was recorded before the command died."""

from __future__ import annotations

from orchestrator.leading.segments import segments
from snipbench.domain.plan import Phase, Plan, Slot


def slot(position: int, snippet: str, phase: Phase, repetition: int, *, session: int = 0) -> Slot:
    block = f"b{session}-{repetition}" if phase is Phase.MEASURED else None
    return Slot(
        slot_id=f"{snippet}-{phase.value}-{session}-{repetition}",
        position=position,
        experiment="exchange",
        snippet=snippet,
        parameters=(),
        phase=phase,
        repetition=repetition,
        session=session,
        block=block,
    )


def plan(sessions: int = 1) -> Plan:
    slots = []
    for session in range(sessions):
        for snippet in ("a", "b"):
            slots.append(slot(len(slots), snippet, Phase.WARMUP, 0, session=session))
        for repetition in range(2):
            for snippet in ("a", "b"):
                slots.append(slot(len(slots), snippet, Phase.MEASURED, repetition, session=session))
    return Plan("hash", tuple(slots), ())


def ids(slots: tuple[Slot, ...]) -> list[str]:
    return [slot.slot_id for slot in slots]


def test_a_fresh_plan_is_one_segment_per_session() -> None:
    found = segments(plan(sessions=3), recorded=())
    assert [segment.session for segment in found] == [0, 1, 2]
    assert all(len(segment.warmups) == 2 and len(segment.measured) == 4 for segment in found)
    assert all(not segment.repeated_warmups and not segment.withdrawn for segment in found)


def test_a_complete_plan_has_nothing_left() -> None:
    assert segments(plan(), recorded={slot.slot_id for slot in plan().slots}) == ()


def test_an_interrupted_segment_repeats_its_warmups_and_runs_only_what_is_missing() -> None:
    recorded = {"a-warmup-0-0", "b-warmup-0-0", "a-measured-0-0", "b-measured-0-0"}
    (segment,) = segments(plan(), recorded)
    assert ids(segment.warmups) == []
    assert ids(segment.repeated_warmups) == ["a-warmup-0-0", "b-warmup-0-0"]
    assert ids(segment.measured) == ["a-measured-0-1", "b-measured-0-1"]
    assert segment.withdrawn == ()


def test_a_cut_block_runs_again_as_a_whole_and_its_first_runs_are_withdrawn() -> None:
    recorded = {"a-warmup-0-0", "b-warmup-0-0", "a-measured-0-0"}
    (segment,) = segments(plan(), recorded)
    assert ids(segment.withdrawn) == ["a-measured-0-0"]
    assert ids(segment.measured) == ["a-measured-0-0", "b-measured-0-0", "a-measured-0-1", "b-measured-0-1"]


def test_a_run_that_ended_its_session_stays_when_its_block_is_cut() -> None:
    recorded = {"a-warmup-0-0", "b-warmup-0-0", "a-measured-0-0"}
    (segment,) = segments(plan(), recorded, final={"a-measured-0-0"})
    assert segment.withdrawn == ()
    assert ids(segment.measured) == ["b-measured-0-0", "a-measured-0-1", "b-measured-0-1"]


def test_warmups_cut_short_are_made_as_planned_and_the_others_repeated() -> None:
    (segment,) = segments(plan(), recorded={"a-warmup-0-0"})
    assert ids(segment.warmups) == ["b-warmup-0-0"]
    assert ids(segment.repeated_warmups) == ["a-warmup-0-0"]
    assert len(segment.measured) == 4
