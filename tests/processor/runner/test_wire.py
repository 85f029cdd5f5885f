"""Frames: whatever pieces they arrive in."""

import pytest

from taskwire_processor.runner import wire


def _messages(count: int) -> list[wire.Returned]:
    return [wire.Returned(key, b"x" * key, is_text=False, content_type="") for key in range(count)]


@pytest.mark.parametrize("piece", [1, 3, 4, 7, 1000, 1_000_000])
def test_frames_arrive_in_any_pieces(piece: int) -> None:
    messages = _messages(50)
    data = wire.encode(messages[:20]) + wire.encode(messages[20:])
    reader = wire.reader_in_control()

    read = [one for start in range(0, len(data), piece) for one in reader.feed(data[start : start + piece])]

    assert read == messages


def test_many_messages_go_in_several_frames() -> None:
    messages = _messages(wire.FRAME_MESSAGES_MAX + 1)
    data = wire.encode(messages)

    first_length = int.from_bytes(data[:4], "big")

    assert 4 + first_length < len(data)
    assert wire.reader_in_control().feed(data) == messages


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xffnonsense", b"\x00\x00\x00\x01\xc1", b"\x00\x00\x00\x02\x91\x07"])
def test_nonsense_is_told_apart(data: bytes) -> None:
    with pytest.raises(wire.BrokenFrame):
        wire.reader_in_control().feed(data)


def test_each_side_understands_its_own_messages() -> None:
    stop = wire.Stop(5)

    assert wire.reader_in_runner().feed(wire.encode([stop])) == [stop]
