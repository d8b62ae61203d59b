"""Command sets against pydicom, and against garbage."""

from dataclasses import fields
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from dimse import command
from dimse.command import Command, Operation
from dimse.errors import ProtocolError

NUMBERS = st.none() | st.integers(0, 0xFFFF)
UIDS = st.just("") | st.lists(st.integers(0, 999), min_size=1, max_size=6).map(
    lambda p: ".".join(map(str, p))
)
TITLES = st.text("ABCXYZ_09", max_size=16)
TAGS = st.lists(st.integers(0, 0xFFFFFFFF), max_size=3).map(tuple)
COMMANDS = st.builds(
    Command,
    st.integers(0, 0xFFFF),
    message_id=NUMBERS,
    responded_to=NUMBERS,
    sop_class=UIDS,
    sop_instance=UIDS,
    move_destination=TITLES,
    priority=NUMBERS,
    dataset_type=st.sampled_from((0x0101, 0x0001, 0)),
    status=NUMBERS,
    remaining=NUMBERS,
    completed=NUMBERS,
    failed=NUMBERS,
    warning=NUMBERS,
    originator_aet=TITLES,
    originator_message_id=NUMBERS,
    error_id=NUMBERS,
    event_type=NUMBERS,
    action_type=NUMBERS,
    attributes=TAGS,
    offending_elements=TAGS,
)


@given(COMMANDS)
def test_there_and_back(message: Command) -> None:
    assert command.decode(command.encode(message)) == message


@given(COMMANDS)
def test_pydicom_reads_the_same(message: Command) -> None:
    found = read_dataset(BytesIO(command.encode(message)), is_implicit_VR=True, is_little_endian=True)
    assert found.CommandField == message.field
    assert found.get("Status") == message.status
    assert str(found.get("AffectedSOPInstanceUID", "")) == message.sop_instance
    assert found.get("ActionTypeID") == message.action_type
    assert found.get("EventTypeID") == message.event_type
    assert _tags(found.get("AttributeIdentifierList")) == message.attributes
    assert found.CommandGroupLength == len(command.encode(message)) - 12


def _tags(value: Any) -> tuple[int, ...]:
    if value is None:
        return ()
    return (int(value),) if isinstance(value, BaseTag) else tuple(map(int, value))


def test_the_table_is_the_dictionary() -> None:
    assert {name for name, _ in command._ELEMENTS.values()} == {f.name for f in fields(Command)}
    for number, (name, vr) in command._ELEMENTS.items():
        assert dictionary_VR(number) == vr, (keyword_for_tag(number), name)
    assert list(command._ELEMENTS) == sorted(command._ELEMENTS)


@given(st.binary(max_size=200))
def test_garbage_raises_our_own_error(garbage: bytes) -> None:
    try:
        command.decode(garbage)
    except ProtocolError:
        return


def test_unknown_elements_are_stepped_over() -> None:
    raw = command.encode(Command(Operation.C_ECHO, message_id=7)) + bytes.fromhex("0000 0010 02000000 4142")
    assert command.decode(raw).message_id == 7


@pytest.mark.parametrize(
    "raw", [b"", b"\0", bytes.fromhex("0000 0001 04000000 30000000"), bytes.fromhex("0000 0001 02000000 30")]
)
def test_broken(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        command.decode(raw)


def test_counters_beyond_two_bytes_stay_at_the_top() -> None:
    raw = command.encode(Command(0x8021, completed=70_000))
    assert command.decode(raw).completed == 0xFFFF
