"""What an order may cost whoever reads it: it may be somebody else's."""

from __future__ import annotations

import warnings

import pytest

from orchestrator.orders import composing, mistakes, parse_order, read, snippets, sql_code, volatile_sql
from orchestrator.orders.effort import Effort
from orchestrator.orders.warnings import MAX_WARNINGS, find_warnings
from snipbench.errors import OrderError
from tests.orders import FRAME
from tests.orders import FRAME_ORDER as ORDER


def told(text: str) -> list[str]:
    with pytest.raises(OrderError) as error:
        parse_order(text, files={"frame.py": FRAME})
    return [str(mistake) for mistake in error.value.mistakes]


def test_values_are_counted_before_a_tree_is_made_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composing, "MAX_NODES", 20)
    made: list[object] = []
    scalar = composing.Composer.compose_scalar_node
    monkeypatch.setattr(
        composing.Composer, "compose_scalar_node", lambda self, anchor: made.append(1) or scalar(self, anchor)
    )
    (only,) = told("tags:\n" + "- x\n" * 1000)
    assert only == "order.yaml:19:3: order: more than 20 values and keys; an order has no more"
    assert len(made) < 20


def test_a_hundred_mistakes_are_told_and_that_there_are_more() -> None:
    text = ORDER + "".join(f"x{number}: 1\n" for number in range(mistakes.MAX_MISTAKES + 50))
    found = told(text)
    assert len(found) == mistakes.MAX_MISTAKES + 1
    assert "unknown key 'x0'" in found[0]
    assert found[-1].endswith("order: more than 100 mistakes")


def test_a_mistake_that_is_found_twice_is_told_once() -> None:
    found = mistakes.Findings("order.yaml")
    for _ in range(2 * mistakes.MAX_MISTAKES):
        found.add(mistakes.Place(1, 1), "name", "the same")
    assert len(found.error().mistakes) == 1


def test_names_that_are_long_or_many_are_not_compared() -> None:
    long = "a" * (mistakes.LONGEST_NAME + 1)
    assert mistakes.nearest(long, [long]) is None
    assert mistakes.nearest("name", [long, "nam"]) == "nam"
    many = [f"{number}-other" for number in range(mistakes.MAX_NAMES)]
    assert mistakes.nearest("name", [*many, "nam"]) is None


def test_effort_that_is_used_up_ends_the_reading_and_the_looking_for_warnings() -> None:
    spent = Effort("order.yaml", 0.0)
    with pytest.raises(OrderError, match=r"takes more than 0 s of the processor; make it smaller"):
        parse_order(ORDER, files={"frame.py": FRAME}, effort=spent)
    loaded = parse_order(ORDER, files={"frame.py": FRAME}, effort=Effort("order.yaml", 60.0))
    with pytest.raises(OrderError, match="takes more than"):
        find_warnings(loaded, spent)
    assert find_warnings(loaded) == ()


@pytest.fixture
def tokenised(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lengths of the queries of which tokens were made."""
    made: list[int] = []
    for module in (snippets, volatile_sql):
        monkeypatch.setattr(module, "tokens", lambda text: made.append(len(text)) or sql_code.tokens(text))
    return made


def test_a_query_that_would_take_more_than_what_is_left_is_not_begun(tokenised: list[int]) -> None:
    text = ORDER + "      - {name: query, kind: sql, file: query.sql}\n"
    files = {"frame.py": FRAME, "query.sql": "select 1" + ",1" * 400_000}
    with pytest.raises(OrderError, match=r"takes more than 5 s of the processor"):
        parse_order(text, files=files, effort=Effort("order.yaml", 5.0))
    assert tokenised == []


def test_no_query_is_taken_apart_more_than_once_for_mistakes_and_once_for_warnings(tokenised: list[int]) -> None:
    text = ORDER + "      - {name: query, kind: sql, file: query.sql}\n"
    files = {"frame.py": FRAME, "query.sql": "select count(*) from lineitem"}
    loaded = parse_order(text, files=files)
    assert tokenised == [len(files["query.sql"])]
    assert find_warnings(loaded) == ()
    assert tokenised == [len(files["query.sql"])] * 2


def test_python_that_would_take_more_than_what_is_left_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snippets, "parse_python", None)
    with pytest.raises(OrderError, match=r"takes more than 5 s of the processor"):
        parse_order(ORDER, files={"frame.py": FRAME + "0\n" * 400_000}, effort=Effort("order.yaml", 5.0))


def test_one_long_text_in_a_query_is_one_piece_of_it() -> None:
    text = ORDER + "      - {name: query, kind: sql, file: query.sql}\n"
    files = {"frame.py": FRAME, "query.sql": f"select '{'x' * 900_000}'"}
    assert parse_order(text, files=files, effort=Effort("order.yaml", 5.0)).files == files


def test_warnings_end_at_a_hundred() -> None:
    code = "import random\n\ndef run(spark):\n" + "    random.random()\n" * (MAX_WARNINGS + 50)
    loaded = parse_order(ORDER, files={"frame.py": code + "    return spark.table('lineitem')\n"})
    found = find_warnings(loaded)
    assert len(found) == MAX_WARNINGS
    assert [warning.line for warning in found] == list(range(4, MAX_WARNINGS + 4))


def test_one_file_cannot_be_the_code_of_more_snippets_than_an_order_has_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(read, "MAX_CODE_CHARACTERS", 3 * len(FRAME))
    same = "".join(f"      - {{name: f{number}, kind: dataframe, file: frame.py}}\n" for number in range(3))
    (only,) = told(ORDER + same)
    assert f"{4 * len(FRAME)} characters of code and input; at most {3 * len(FRAME)} together" in only


@pytest.mark.parametrize(
    "line",
    [
        "seed: 0x" + "f" * 5000,
        "monitor: {interval: 1" + "0" * 900 + "}",
        "tags: [0b" + "1" * 20_000 + "]",
    ],
)
def test_numbers_of_too_many_digits_are_mistakes(line: str) -> None:
    assert all(":1:" in one or ":2:" in one for one in told(f"{line}\n{ORDER}"))


@pytest.mark.parametrize("size", ["1" + "0" * 900 + "g", "9999999999t", "1" + "0" * 900])
def test_sizes_that_no_machine_has_are_mistakes(size: str) -> None:
    (only,) = told(ORDER.replace("0.01}", "0.01}, limits: {memory: " + size + "}"))
    assert "databases.shop.limits.memory" in only


def test_an_anchor_that_is_given_twice_says_nothing_on_standard_error() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = "tags: [&a x, &a y, *a]\n" + ORDER
        assert parse_order(text, files={"frame.py": FRAME}).order.tags == ("x", "y", "y")
