"""Where an order's text comes from and what is refused before anything is made of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.orders import parse_order, read_order
from snipbench.errors import Mistake, OrderError, UsageError
from tests.orders import FRAME
from tests.orders import FRAME_ORDER as ORDER


def parse_mistakes(text: str) -> tuple[Mistake, ...]:
    """The mistakes of an order; none if it has none."""
    try:
        parse_order(text, files={"frame.py": FRAME})
    except OrderError as error:
        return error.mistakes
    return ()


def only_mistake(text: str) -> str:
    (mistake,) = parse_mistakes(text)
    return str(mistake)


def test_submitted_text_takes_its_files_from_the_request() -> None:
    loaded = parse_order(ORDER, file_name="small.yaml", files={"frame.py": FRAME})
    assert loaded.order.experiments[0].snippets[0].code == FRAME
    assert loaded.base is None


def test_submitted_text_reads_no_file_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "frame.py").write_text(FRAME)
    with pytest.raises(OrderError, match=r"file 'frame.py' was not sent along with the order"):
        parse_order(ORDER, files={}, base=tmp_path)


def test_submitted_order_cannot_name_a_folder() -> None:
    text = ORDER.replace("{generator: tpch, scale: 0.01}", "{data_directory: /var/lib/postgresql}")
    assert "a submitted order cannot name one" in only_mistake(text)


def test_order_and_submitted_text_give_the_same_order(tmp_path: Path) -> None:
    (tmp_path / "frame.py").write_text(FRAME)
    (tmp_path / "small.yaml").write_text(ORDER)
    from_file = read_order(tmp_path / "small.yaml")
    assert parse_order(from_file.text, files=from_file.files).order == from_file.order


def test_byte_order_mark_is_no_part_of_the_order(tmp_path: Path) -> None:
    (tmp_path / "frame.py").write_text(FRAME)
    (tmp_path / "small.yaml").write_bytes(b"\xef\xbb\xbf" + ORDER.encode())
    assert read_order(tmp_path / "small.yaml").order.name == "small"


def test_order_file_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not there"):
        read_order(tmp_path / "gone.yaml")


def test_order_longer_than_a_mebibyte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    path.write_text(ORDER + "#" * 2**20)
    with pytest.raises(OrderError, match="the file is too long"):
        read_order(path)


def test_deep_nesting_is_refused() -> None:
    assert "nested too deeply" in only_mistake("[" * 100_000)
    deep = parse_mistakes(ORDER.replace("name: small", "name: small\ntags: " + "[" * 60 + "]" * 60))
    assert any("nested too deeply; at most 40 levels" in mistake.message for mistake in deep)


def test_symbolic_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text(FRAME)
    folder = tmp_path / "orders"
    folder.mkdir()
    (folder / "frame.py").symlink_to(tmp_path / "secret.py")
    (folder / "small.yaml").write_text(ORDER)
    with pytest.raises(OrderError, match="by a symbolic link"):
        read_order(folder / "small.yaml")


def test_symbolic_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.py").write_text(FRAME)
    (tmp_path / "frame.py").symlink_to("real.py")
    (tmp_path / "small.yaml").write_text(ORDER)
    assert read_order(tmp_path / "small.yaml").order.experiments[0].snippets[0].code == FRAME


def test_dates_and_words_of_old_yaml_stay_text() -> None:
    text = ORDER.replace("name: small", "name: small\ndescription: 2024-01-31\ntags: [yes, no, on]")
    order = parse_order(text, files={"frame.py": FRAME}).order
    assert (order.description, order.tags) == ("2024-01-31", ("yes", "no", "on"))


def test_aliases_are_expanded() -> None:
    text = ORDER.replace("name: small", "name: small\ntags: &t [a]").replace(
        "kind: dataframe", "kind: dataframe, tags: *t"
    )
    assert parse_order(text, files={"frame.py": FRAME}).order.experiments[0].snippets[0].tags == ("a",)


@pytest.mark.parametrize("override", [{"warmups": -1}, {"repetitions": 0}, {"seed": -1}, {"repetitions": 10**9}])
def test_override_out_of_range_is_wrong_use(override: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="must be between"):
        parse_order(ORDER, files={"frame.py": FRAME}, **override)


LINES = ORDER.splitlines()
VALUES = ["[]", "{}", "3", "x", "", "null", "*a", "&a b", "'", '"', "- ", "\t", "!!set {a}", "? ", "|", "true", "1e400"]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(LINES) - 1), st.integers(0, 40), st.sampled_from(VALUES), st.booleans()),
        min_size=1,
        max_size=3,
    )
)
def test_no_text_raises_anything_but_an_order_error(changes: list[tuple[int, int, str, bool]]) -> None:
    lines = list(LINES)
    for index, column, value, cut in changes:
        line = lines[index]
        lines[index] = line[:column] + value + ("" if cut else line[column:])
    for mistake in parse_mistakes("\n".join(lines)):
        assert 1 <= mistake.line <= len(lines) + 1
        assert mistake.column >= 1
        assert mistake.message
