"""A proof whose task ends, or whose command is interrupted, in the middle of what its sessions do."""

from __future__ import annotations

import signal
import threading

import pytest

from snipbench.errors import SessionLost, TaskCancelled
from tests.unit.proof.played import Stage, World


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
