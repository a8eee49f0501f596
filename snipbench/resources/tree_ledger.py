"""Cumulative use of one process tree that never goes down, though its processes come and go.

Where the use of an ended child is to be found depends on its parent:

* a parent that waits gets it added to its own ``cutime``, ``cstime`` and ``io`` by the kernel (grain: a tick);
* a parent that ignores SIGCHLD (as Spark's Python daemon does) gets nothing, nor does anybody in the tree when the
  child was given to init. Then the last counters seen are *carried* by the ledger.

Reading is racy by nature: a child may be reaped between two files. So parents are read before children (a child still
alive when read is not yet in its parent's sum), and the pass is repeated until no process ended within it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from snipbench.resources.proc_file import TICK_SECONDS, ProcessFile, ProcessGone, Stat
from snipbench.resources.process_list import ProcessList

_PASSES = 10
_RECHECK_SECONDS = 5.0
"""How often processes known to be somebody else's are looked at again, in case a number was given away twice."""
_TWO_TICKS = round(2e9 * TICK_SECONDS)
_IDLE_SECONDS = 1.0
"""How long a process that has not run at all is taken to be as it was. Others can take memory from it meanwhile."""


@dataclass(slots=True)
class Use:
    """Nanoseconds and bytes, cumulative."""

    cpu: int = 0
    user: int = 0
    system: int = 0
    read: int = 0
    write: int = 0

    def add(self, other: Use) -> None:
        """Add in place."""
        self.cpu += other.cpu
        self.user += other.user
        self.system += other.system
        self.read += other.read
        self.write += other.write

    def raise_to(self, other: Use) -> None:
        """Component-wise maximum, in place."""
        self.cpu = max(self.cpu, other.cpu)
        self.user = max(self.user, other.user)
        self.system = max(self.system, other.system)
        self.read = max(self.read, other.read)
        self.write = max(self.write, other.write)


@dataclass(slots=True)
class Member:
    """One process of the tree, as last seen."""

    file: ProcessFile
    stat: Stat
    use: Use = field(default_factory=Use)
    """Its own and its reaped children's."""
    reaped_before: int = 0
    """CPU of reaped children at the reading before this one, in nanoseconds."""
    memory_bytes: int | None = None
    exact: bool = False
    io_known: bool = True
    _clock: int | None = None
    """Its own CPU time just before all counters were read."""
    _read_at: float = 0.0

    @property
    def reaped(self) -> int:
        """CPU of reaped children, in nanoseconds of tick grain."""
        return self.stat.reaped_user + self.stat.reaped_system

    @property
    def alive(self) -> bool:
        """Whether it is more than a zombie."""
        return self.stat.alive

    def same(self) -> Stat:
        """What its file says now.

        Raises:
            ProcessGone: it ended, and its number may be another's.
        """
        stat = self.file.stat()
        if stat.started_ticks != self.stat.started_ticks:
            raise ProcessGone(self.file.pid)
        return stat

    def look(self, *, proportional: bool) -> None:
        """Read all counters; nothing changes unless all could be read.

        One that has not run since is not read: only what runs counts CPU time or bytes, reaps, becomes a zombie.

        Raises:
            ProcessGone: it ended.
        """
        own, now = self.file.cpu_nanoseconds(), time.monotonic()
        if own is not None and own == self._clock and not proportional and now - self._read_at < _IDLE_SECONDS:
            return
        stat = self.same()
        io = self.file.io_bytes()
        memory = self.file.proportional_bytes() if proportional else stat.resident_bytes
        self.stat, self.memory_bytes, self.exact, self.io_known = stat, memory, own is not None, io is not None
        self._clock, self._read_at = own, now
        user, system = stat.user + stat.reaped_user, stat.system + stat.reaped_system
        cpu = (stat.user + stat.system if own is None else own) + self.reaped
        self.use = Use(cpu, user, system, *(io or (self.use.read, self.use.write)))


@dataclass(frozen=True, slots=True)
class TreeReading:
    """The tree at one instant. ``None`` is what the kernel does not tell us about some process."""

    use: Use
    io_known: bool
    memory_bytes: int | None
    processes: int
    threads: int
    cpu_resolution_seconds: float


class TreeLedger:
    """Follows the descendants of a root process, also those that lost their parents.

    Belongs to the tree: the root; children of members; members of a process group or session that a member leads.

    Args:
        pid: the root.
        processes: which there are; others may ask it too.
        discovery_seconds: how long after looking for new processes nobody looks again.
        may_keep: asked for each new process whether it may keep its descriptors.
        proportional: memory as proportional set size, else resident set size.

    Raises:
        ProcessGone: there is no such process.
    """

    def __init__(
        self,
        pid: int,
        processes: ProcessList,
        *,
        may_keep: Callable[[], bool],
        proportional: bool,
        discovery_seconds: float = 0.0,
    ) -> None:
        self._may_keep = may_keep
        self._proportional = proportional
        self._members: dict[int, Member] = {}  # parents before children
        self._processes = processes
        self._generation = 0
        self._discovery_seconds = discovery_seconds
        self._discovered_at = -math.inf
        self._foreign: set[int] = set()
        self._foreign_since = time.monotonic()
        self._leaders: set[int] = set()
        self._carried = Use()
        self._floor = Use()
        self._io_known = True
        self._root = self._admit(pid, ProcessFile(pid, keep=False).stat())

    @property
    def size(self) -> int:
        """How many processes are followed now."""
        return len(self._members)

    def read(self) -> TreeReading:
        """The tree now.

        Raises:
            ProcessGone: the root ended.
            MonitorError: ``/proc`` cannot be read.
        """
        self._find_new()
        for member in self._members.values():
            member.reaped_before = member.reaped
        ended: list[Member] = []
        for _ in range(_PASSES):
            just_ended = self._look_at_all()
            ended.extend(just_ended)
            if not just_ended:
                break
        if self._root in ended or not self._root.alive:
            raise ProcessGone(self._root.file.pid)
        if ended:
            self._carry(ended)
            self._forget_leaders()
        return self._sum()

    def look(self) -> None:
        """Only whether the root is alive.

        Raises:
            ProcessGone: it ended.
        """
        if not self._root.same().alive:
            raise ProcessGone(self._root.file.pid)

    def close(self) -> None:
        """Give all descriptors back."""
        for member in self._members.values():
            member.file.close()
        self._members.clear()

    def _look_at_all(self) -> list[Member]:
        ended = []
        for pid, member in list(self._members.items()):
            try:
                member.look(proportional=self._proportional)
            except ProcessGone:
                ended.append(member)
                del self._members[pid]
                member.file.close()
            else:
                self._note_leader(pid, member.stat)
        return ended

    def _find_new(self) -> None:
        now = time.monotonic()
        if now - self._discovered_at < self._discovery_seconds:
            return
        self._discovered_at = now
        if now - self._foreign_since > _RECHECK_SECONDS:
            self._foreign.clear()
            self._generation = 0
            self._foreign_since = now
        generation = self._processes.look()
        if generation == self._generation:
            return
        self._generation = generation
        self._foreign &= self._processes.numbers
        unknown: dict[int, Stat] = {}
        for pid in self._processes.numbers - self._foreign - self._members.keys():
            try:
                unknown[pid] = ProcessFile(pid, keep=False).stat()
            except (ProcessGone, PermissionError):
                continue
        grew = True
        while grew:
            ours = [pid for pid, stat in unknown.items() if self._is_ours(stat)]
            for pid in ours:
                self._admit(pid, unknown.pop(pid))
            grew = bool(ours)
        self._foreign.update(unknown)

    def _is_ours(self, stat: Stat) -> bool:
        return stat.parent in self._members or stat.group in self._leaders or stat.session in self._leaders

    def _admit(self, pid: int, stat: Stat) -> Member:
        member = Member(ProcessFile(pid, keep=self._may_keep()), stat)
        self._members[pid] = member
        self._note_leader(pid, stat)
        return member

    def _note_leader(self, pid: int, stat: Stat) -> None:
        if pid in {stat.group, stat.session}:
            self._leaders.add(pid)

    def _forget_leaders(self) -> None:
        """A group whose last member ended is no more; its number may be given to strangers."""
        stats = [member.stat for member in self._members.values()]
        self._leaders.intersection_update({stat.group for stat in stats} | {stat.session for stat in stats})

    def _carry(self, ended: Iterable[Member]) -> None:
        """Keep the last counters of those ended processes that no living one of the tree has inherited."""
        by_pid = {member.file.pid: member for member in ended}
        heirs: dict[int, tuple[list[Member], list[Member]]] = {}
        for member in by_pid.values():
            parent, direct = member.stat.parent, True
            while parent in by_pid:
                parent, direct = by_pid[parent].stat.parent, False
            heirs.setdefault(parent, ([], []))[0 if direct else 1].append(member)
        for pid, (children, grandchildren) in heirs.items():
            heir = self._members.get(pid)
            if heir is None or self._inherits_nothing(heir):
                lost = [*children, *grandchildren]
            else:
                # A child is in the heir's sums. A grandchild is, if its parent waited for it before it ended too;
                # else init had it. The heir's growth tells which.
                seen = sum(member.use.cpu for member in (*children, *grandchildren))
                missing = seen - (heir.reaped - heir.reaped_before)
                lost = grandchildren if missing > _TWO_TICKS else []
            for member in lost:
                self._carried.add(member.use)

    def _inherits_nothing(self, heir: Member) -> bool:
        try:
            return heir.file.ignores_children()
        except ProcessGone:
            return False

    def _sum(self) -> TreeReading:
        members = self._members.values()
        total = Use()
        total.add(self._carried)
        for member in members:
            total.add(member.use)
        # What a parent inherits is rounded down to ticks: up to two ticks less than was seen before.
        total.raise_to(self._floor)
        self._floor = total
        self._io_known = self._io_known and all(member.io_known for member in members)
        memory = [member.memory_bytes for member in members]
        known = [amount for amount in memory if amount is not None]
        ticks = any(not member.exact or member.reaped != member.reaped_before for member in members)
        return TreeReading(
            use=total,
            io_known=self._io_known,
            memory_bytes=sum(known) if len(known) == len(memory) else None,
            processes=sum(member.alive for member in members),
            threads=sum(member.stat.threads for member in members if member.alive),
            cpu_resolution_seconds=TICK_SECONDS if ticks else 1e-9,
        )
