"""What of a plan is left to run, and in which pieces.

A segment is the stretch of an experiment that one session and one clone carry. Pairs never span sessions: a block
that was cut is run again as a whole, and its first runs step back to the attempts.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import groupby

from snipbench.domain.plan import Phase, Plan, Slot


@dataclass(frozen=True, slots=True)
class Segment:
    """Work for one session.

    ``repeated_warmups`` were recorded in an earlier session and must be made again, outside the plan. ``withdrawn``
    were recorded, but belong to a cut block; they are in ``measured`` again.
    """

    experiment: str
    session: int
    warmups: tuple[Slot, ...]
    repeated_warmups: tuple[Slot, ...]
    measured: tuple[Slot, ...]
    withdrawn: tuple[Slot, ...]


def segments(plan: Plan, recorded: Collection[str], final: Collection[str] = ()) -> tuple[Segment, ...]:
    """Segments of ``plan`` that are not complete, in order.

    ``recorded`` holds the slot ids of accepted runs; ``final`` those among them that stay even if their block was
    cut: the runs that themselves ended their session.
    """
    done = frozenset(recorded)
    stay = frozenset(final)
    found = []
    for (experiment, session), group in groupby(plan.slots, key=lambda slot: (slot.experiment, slot.session)):
        slots = tuple(group)
        warmups = tuple(slot for slot in slots if slot.phase is Phase.WARMUP)
        measured = tuple(slot for slot in slots if slot.phase is Phase.MEASURED)
        missing = {slot.slot_id for slot in slots} - done
        if not missing:
            continue
        cut = {slot.block for slot in measured if slot.slot_id in missing and slot.block is not None}
        withdrawn = tuple(slot for slot in measured if slot.block in cut and slot.slot_id in done - stay)
        found.append(
            Segment(
                experiment=experiment,
                session=session,
                warmups=tuple(slot for slot in warmups if slot.slot_id in missing),
                repeated_warmups=tuple(slot for slot in warmups if slot.slot_id not in missing),
                measured=tuple(slot for slot in measured if slot.slot_id in missing or slot in withdrawn),
                withdrawn=withdrawn,
            )
        )
    return tuple(found)
