"""Messages of the channel between supervisor and child."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.messages import MAX_MESSAGE_BYTES, MessageBuffer, encode
from snipbench.errors import ProtocolError

MESSAGES = st.lists(st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(), max_size=4), max_size=5)


@given(MESSAGES, st.integers(1, 50))
def test_messages_survive_however_their_bytes_are_cut(messages: list[dict[str, object]], size: int) -> None:
    data = b"".join(encode(message) for message in messages)
    buffer = MessageBuffer()
    taken = []
    for start in range(0, len(data), size):
        buffer.feed(data[start : start + size])
        while (message := buffer.take()) is not None:
            taken.append(message)
    assert taken == messages
    assert not buffer.holds_any


@pytest.mark.parametrize("line", [b"\n", b"hello\n", b"[1]\n", b"\xff\xfe\n", b'{"id": 1\n'])
def test_what_is_no_object_is_refused_with_its_beginning(line: bytes) -> None:
    buffer = MessageBuffer()
    buffer.feed(line)
    with pytest.raises(ProtocolError, match="not a message on the channel: b'"):
        buffer.take()


def test_a_message_of_exactly_the_limit_passes_and_one_byte_more_does_not() -> None:
    room = MAX_MESSAGE_BYTES - len(encode({"text": ""}))
    line = encode({"text": "x" * room})
    buffer = MessageBuffer()
    buffer.feed(line)
    assert buffer.take() == {"text": "x" * room}
    with pytest.raises(ProtocolError, match="longer than the 16,777,216"):
        encode({"text": "x" * (room + 1)})
    with pytest.raises(ProtocolError, match="longer than 16,777,216"):
        buffer.feed(b"x" * MAX_MESSAGE_BYTES)
