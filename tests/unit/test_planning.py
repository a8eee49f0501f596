"""Properties of every plan."""

from __future__ import annotations

from collections import Counter, defaultdict

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.orders import parse_order
from orchestrator.planning import estimate_seconds, make_plan, parameter_points, plan_bytes, plan_document
from snipbench.domain.order import Order, Schedule
from snipbench.domain.plan import Phase, Plan, Slot
from snipbench.errors import UsageError
from snipbench.records.plans import plan_to_document

HASHES = {"shop": "d" * 64}
TEXT = """\
name: planned
seed: 7
databases:
  shop: {dataset: {generator: tpch, scale: 0.01}}
experiments:
  - name: udfs
    database: shop
    tables: [lineitem]
    warmups: 2
    repetitions: 10
    parameters: {max_orderkey: [10, 20], least: [0.5]}
    snippets:
      - name: row
        kind: python_udf
        input: select l_tax from lineitem where l_orderkey <= :max_orderkey and l_tax > :least
        returns: double
        code: "def run(x): return x"
      - {name: pandas, kind: pandas_udf, variant_of: row, code: "def run(x): return x"}
      - {name: alone, kind: sql, code: "select :max_orderkey from lineitem"}
  - name: queries
    database: shop
    tables: [orders]
    warmups: 1
    repetitions: 10
    snippets:
      - {name: one, kind: sql, code: select 1}
      - {name: two, kind: sql, variant_of: one, code: select 2}
"""
BASE = parse_order(TEXT).order


def order_of(schedule: Schedule, sessions: int, repetitions: int, warmups: int, seed: int) -> Order:
    experiments = tuple(
        experiment.model_copy(update={"repetitions": repetitions, "warmups": warmups})
        for experiment in BASE.experiments
    )
    return BASE.model_copy(
        update={"schedule": schedule, "sessions": sessions, "seed": seed, "experiments": experiments}
    )


orders = st.integers(1, 12).flatmap(
    lambda repetitions: st.builds(
        order_of,
        st.sampled_from(list(Schedule)),
        st.integers(1, min(4, repetitions)),
        st.just(repetitions),
        st.integers(0, 3),
        st.integers(0, 2**63 - 1),
    )
)


def measured(plan: Plan) -> list[Slot]:
    return [slot for slot in plan.slots if slot.phase is Phase.MEASURED]


@settings(max_examples=20, deadline=None)
@given(orders)
def test_how_long_a_plan_is_as_a_document_is_known_before_it_is_made(order: Order) -> None:
    size = len(bson.encode(plan_to_document("task-1", make_plan(order, HASHES))))
    assert 0.6 * plan_bytes(order) < size < plan_bytes(order) + 300


@settings(max_examples=40, deadline=None)
@given(orders)
def test_every_block_holds_each_snippet_of_its_group_once_in_one_session(order: Order) -> None:
    blocks: dict[str, list[Slot]] = defaultdict(list)
    for slot in measured(make_plan(order, HASHES)):
        assert slot.block is not None
        blocks[slot.block].append(slot)
    for slots in blocks.values():
        experiment = order.experiment(slots[0].experiment)
        baseline = experiment.snippet(slots[0].snippet).baseline
        group = {snippet.name for snippet in experiment.snippets if snippet.baseline == baseline}
        assert sorted(slot.snippet for slot in slots) == sorted(group)
        assert len({(slot.experiment, slot.parameters, slot.repetition, slot.session) for slot in slots}) == 1


@settings(max_examples=40, deadline=None)
@given(orders)
def test_counts_are_right(order: Order) -> None:
    plan = make_plan(order, HASHES)
    for experiment in order.experiments:
        assert isinstance(experiment.warmups, int)
        assert isinstance(experiment.repetitions, int)
        counts = Counter((slot.snippet, slot.parameters, slot.phase) for slot in plan.of_experiment(experiment.name))
        for snippet in experiment.snippets:
            for point in parameter_points(experiment):
                assert counts[snippet.name, point, Phase.MEASURED] == experiment.repetitions
                assert counts[snippet.name, point, Phase.WARMUP] == experiment.warmups * order.sessions


@settings(max_examples=40, deadline=None)
@given(orders)
def test_positions_count_up_and_slots_are_unique(order: Order) -> None:
    slots = make_plan(order, HASHES).slots
    assert [slot.position for slot in slots] == list(range(len(slots)))
    assert len({slot.slot_id for slot in slots}) == len(slots)


@settings(max_examples=40, deadline=None)
@given(orders)
def test_sessions_follow_each_other_and_start_with_warmups(order: Order) -> None:
    slots = make_plan(order, HASHES).slots
    assert [slot.session for slot in slots] == sorted(slot.session for slot in slots)
    by_part: dict[tuple[str, int], list[Slot]] = defaultdict(list)
    for slot in slots:
        by_part[slot.experiment, slot.session].append(slot)
    for part in by_part.values():
        phases = [slot.phase for slot in part]
        assert phases == sorted(phases, key=lambda phase: phase is Phase.MEASURED)
    for experiment in order.experiments:
        sizes = [
            len({slot.repetition for slot in part if slot.phase is Phase.MEASURED})
            for (name, _), part in by_part.items()
            if name == experiment.name
        ]
        assert len(sizes) == order.sessions
        assert max(sizes) - min(sizes) <= 1


@settings(max_examples=20, deadline=None)
@given(orders)
def test_same_order_gives_the_same_plan(order: Order) -> None:
    again = Order.model_validate_json(order.model_dump_json(), strict=True)
    assert make_plan(order, HASHES) == make_plan(again, dict(HASHES))


def test_first_session_of_an_experiment_goes_on_in_the_last_of_the_one_before() -> None:
    plan = make_plan(order_of(Schedule.RANDOMIZED, 2, 4, 1, 0), HASHES)
    sessions = [sorted({slot.session for slot in plan.of_experiment(name)}) for name in ("udfs", "queries")]
    assert sessions == [[0, 1], [1, 2]]


def test_seed_changes_the_order_of_runs_but_not_the_runs() -> None:
    first, second = (make_plan(order_of(Schedule.RANDOMIZED, 1, 10, 2, seed), HASHES) for seed in (1, 2))
    assert [slot.slot_id for slot in first.slots] != [slot.slot_id for slot in second.slots]
    assert {slot.slot_id for slot in first.slots} == {slot.slot_id for slot in second.slots}
    assert first.plan_hash != second.plan_hash


def test_randomized_puts_each_snippet_first_in_some_block() -> None:
    plan = make_plan(order_of(Schedule.RANDOMIZED, 1, 10, 0, 3), HASHES)
    first = {}
    for slot in measured(plan):
        first.setdefault(slot.block, slot.snippet)
    assert set(first.values()) >= {"row", "pandas", "row.input", "one", "two"}


def test_more_repetitions_leave_the_earlier_ones_in_their_order() -> None:
    short, long = (measured(make_plan(order_of(Schedule.RANDOMIZED, 1, count, 0, 3), HASHES)) for count in (3, 5))
    udfs = [slot.slot_id for slot in short if slot.experiment == "udfs"]
    assert [slot.slot_id for slot in long][: len(udfs)] == udfs


def test_interleaved_keeps_one_order_in_every_block() -> None:
    plan = make_plan(order_of(Schedule.INTERLEAVED, 1, 3, 0, 3), HASHES)
    names = [slot.snippet for slot in measured(plan) if slot.experiment == "queries"]
    assert names == ["one", "two"] * 3


def test_sequential_makes_all_repetitions_of_a_snippet_in_a_row() -> None:
    plan = make_plan(order_of(Schedule.SEQUENTIAL, 1, 3, 0, 3), HASHES)
    slots = [slot for slot in measured(plan) if slot.experiment == "queries"]
    assert [(slot.snippet, slot.repetition) for slot in slots] == [
        *(("one", index) for index in range(3)),
        *(("two", index) for index in range(3)),
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("repetitions: 10", "repetitions: 11"),
        ("warmups: 2", "warmups: 3"),
        ("seed: 7", "seed: 8"),
        ("select 1", "select 3"),
        ("returns: double", "returns: float"),
        ("tables: [orders]", "tables: [orders, part]"),
        ("tables: [orders]", "tables: [orders]\n    source: cached"),
        ("seed: 7", "seed: 7\nspark: {conf: {spark.sql.shuffle.partitions: 2}}"),
        ("seed: 7", "seed: 7\nsessions: 2"),
        ("{dataset:", "{settings: {shared_buffers: 64MB}, dataset:"),
    ],
)
def test_what_decides_a_run_changes_the_plan_hash(old: str, new: str) -> None:
    changed = parse_order(TEXT.replace(old, new, 1)).order
    assert make_plan(changed, HASHES).plan_hash != make_plan(BASE, HASHES).plan_hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: planned", "name: renamed\ndescription: other words\ntags: [a]"),
        ("name: one,", "name: one, tags: [x],"),
        ("select 1}", "select 1, template: t}"),
    ],
)
def test_what_decides_no_run_leaves_the_plan_as_it_is(old: str, new: str) -> None:
    changed = parse_order(TEXT.replace(old, new, 1)).order
    assert make_plan(changed, HASHES) == make_plan(BASE, HASHES)


def test_overrides_and_datasets_enter_the_plan_hash() -> None:
    hashes = {
        make_plan(parse_order(TEXT, **override).order, {"shop": dataset}).plan_hash
        for override in ({}, {"warmups": 0}, {"repetitions": 3}, {"seed": 1})
        for dataset in ("a", "b")
    }
    assert len(hashes) == 8


def test_code_in_a_file_and_inline_are_the_same_plan() -> None:
    query = "select 1"
    inline = make_plan(BASE, HASHES)
    from_file = parse_order(
        TEXT.replace("kind: sql, code: select 1}", "kind: sql, file: q.sql}"), files={"q.sql": query}
    )
    assert make_plan(from_file.order, HASHES) == inline


def test_document_has_the_keys_of_the_command_line() -> None:
    plan = make_plan(BASE, HASHES)
    document = plan_document(plan)
    assert list(document) == ["plan_hash", "slots"]
    assert document["slots"][0] == {
        "slot_id": plan.slots[0].slot_id,
        "experiment": "udfs",
        "snippet": "row",
        "parameters": {"least": 0.5, "max_orderkey": 10},
        "phase": "warmup",
        "repetition": 0,
    }


def test_database_without_a_dataset_hash_is_refused() -> None:
    with pytest.raises(UsageError, match="shop"):
        make_plan(BASE, {})


def test_endless_plan_is_refused_before_it_is_made() -> None:
    values = ", ".join(str(value) for value in range(1000))
    text = TEXT.replace(
        "parameters: {max_orderkey: [10, 20], least: [0.5]}",
        f"parameters: {{max_orderkey: [{values}], least: [{values}]}}",
    )
    with pytest.raises(UsageError, match="at most 200000"):
        make_plan(parse_order(text).order, HASHES)


def test_nothing_known_gives_no_estimate() -> None:
    plan = make_plan(BASE, HASHES)
    assert estimate_seconds(plan, BASE) is None
    assert estimate_seconds(plan, BASE, {("other", "x", ()): 3.0}) is None


def test_estimate_says_what_it_stands_on() -> None:
    plan = make_plan(BASE, HASHES)
    known = {("queries", name, ()): 2.0 for name in ("one", "two")}
    estimate = estimate_seconds(plan, BASE, known)
    assert estimate is not None
    assert (estimate.known, estimate.slots) == (22, len(plan.slots))
    assert estimate.seconds > 2.0 * len(plan.slots)
    assert "an estimate; 22 of" in str(estimate)
