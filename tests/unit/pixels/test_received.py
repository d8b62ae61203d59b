"""Notes of the form an object was received in, and the way back to it."""

import hashlib
import struct
from dataclasses import replace

import pytest

from pacs.dicom import header, uids
from pacs.errors import Conflict, Invalid
from pacs.pixels import part10, received
from pacs.pixels.received import Received
from pacs.pixels.syntaxes import HTJ2K_RPCL
from tests.support.compressible import Picture, picture
from tests.unit.pixels.stored_objects import reader, stored, transcoded

FILE = picture(Picture(samples=3, allocated=8, stored=8, pixel_vr="OW")).part10()
OFFSET = header.read_meta(memoryview(FILE)).dataset_offset


def kept(file: bytes, said: Received) -> bytes:
    data_set = transcoded(file, HTJ2K_RPCL)
    begin = header.read_meta(memoryview(data_set)).dataset_offset
    return part10.with_note(said.prefix, HTJ2K_RPCL, said.note()) + data_set[begin:]


def said_of(file: bytes) -> Received:
    begin = header.read_meta(memoryview(file)).dataset_offset
    syntax = header.read_meta(memoryview(file)).transfer_syntax
    vr = received.pixel_vr(stored(file))
    return Received(hashlib.sha256(file[begin:]).hexdigest(), syntax, len(file), vr, file[:begin])


@pytest.mark.parametrize("syntax", [uids.EXPLICIT_LE, uids.IMPLICIT_LE])
@pytest.mark.parametrize("vr", ["OB", "OW"])
def test_the_file_comes_back(syntax: str, vr: str) -> None:
    file = picture(Picture(allocated=8, stored=7, rows=33, columns=35, syntax=syntax, pixel_vr=vr)).part10()
    said = said_of(file)
    at_rest = kept(file, said)
    found = received.of_file(memoryview(at_rest))
    assert found == said
    assert b"".join(received.bring_back(memoryview(at_rest), reader(at_rest), said)) == file


def test_what_does_not_come_back_is_told_at_the_end() -> None:
    said = said_of(FILE)
    at_rest = kept(FILE, said)
    for wrong in (replace(said, digest="0" * 64), replace(said, pixel_vr="OB")):
        with pytest.raises(Conflict):
            list(received.bring_back(memoryview(at_rest), reader(at_rest), wrong))
    cut = at_rest[:-300]
    with pytest.raises(Conflict):
        list(received.bring_back(memoryview(cut), reader(cut), said))


def test_a_preamble_of_another_kind_is_not_carried_on() -> None:
    """A TIFF in the preamble points into the file that it was made for."""
    file = b"II*\0" + FILE[4:]
    said = said_of(file)
    at_rest = kept(file, said)
    assert at_rest[:128] == bytes(128)
    assert b"".join(received.bring_back(memoryview(at_rest), reader(at_rest), said)) == file


def test_a_note_goes_when_the_transfer_syntax_changes() -> None:
    said = said_of(FILE)
    prefix = part10.with_note(said.prefix, HTJ2K_RPCL, said.note())
    assert Received.of(prefix) == said
    plain = part10.with_syntax(prefix, uids.EXPLICIT_LE)
    assert Received.of(plain) is None
    assert plain == part10.with_syntax(FILE[:OFFSET], uids.EXPLICIT_LE)


def test_private_information_of_others_stays() -> None:
    foreign = struct.pack("<HH2sH", 2, 0x100, b"UI", 4) + b"1.2\0"
    foreign += struct.pack("<HH2sHI", 2, 0x102, b"OB", 0, 2) + b"ab"
    prefix = FILE[:OFFSET] + foreign
    assert Received.of(prefix) is None
    assert part10.with_syntax(prefix, HTJ2K_RPCL).endswith(foreign)


@pytest.mark.parametrize(
    "text",
    [b"", b"{}", b"[]", b"\xff", b'{"format":"hilum-received-9"}', b'{"format":"hilum-received-1"}'],
)
def test_notes_that_are_none(text: bytes) -> None:
    with pytest.raises(Invalid):
        Received.of(part10.with_note(FILE[:OFFSET], HTJ2K_RPCL, text))
    said = said_of(FILE)
    for wrong in (said.note().replace(b'"OW"', b'"XX"'), said.note().replace(b'"prefix":"', b'"prefix":"*')):
        with pytest.raises(Invalid):
            Received.of(part10.with_note(FILE[:OFFSET], HTJ2K_RPCL, wrong))


def nested(*, delimited: bool) -> bytes:
    """A sequence in a sequence, with an empty item and an empty sequence, in Explicit VR."""

    def item(inside: bytes) -> bytes:
        if delimited:
            return b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + inside + b"\xfe\xff\x0d\xe0\0\0\0\0"
        return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(inside)) + inside

    def sequence(tag: bytes, inside: bytes) -> bytes:
        if delimited:
            return tag + b"SQ\0\0\xff\xff\xff\xff" + inside + b"\xfe\xff\xdd\xe0\0\0\0\0"
        return tag + b"SQ\0\0" + struct.pack("<I", len(inside)) + inside

    leaf = b"\x08\x00\x50\x11UI\x04\x001.2\0"
    inner = sequence(b"\x40\x00\x70\xa1", item(leaf) + item(b""))
    empty = sequence(b"\x08\x00\x99\x11", b"")
    return empty + sequence(b"\x40\x00\x30\xa7", item(inner) + item(leaf))


@pytest.mark.parametrize("delimited", [False, True], ids=["lengths", "delimiters"])
def test_sequences_keep_the_form_of_their_lengths(delimited: bool) -> None:  # noqa: FBT001
    begin = FILE.index(b"\x08\x00\x40\x11SQ")
    (length,) = struct.unpack_from("<I", FILE, begin + 8)
    data = FILE[:begin] + nested(delimited=delimited) + FILE[begin + 12 + length :]
    order = data.index(b"\x28\x00\x02\x00US")  # the sequences stand before the image's group
    assert begin < order
    implicit = transcoded(data, uids.IMPLICIT_LE)
    assert (b"\xff\xff\xff\xff" in implicit[begin:order]) == delimited
    assert transcoded(implicit, uids.EXPLICIT_LE) == data
