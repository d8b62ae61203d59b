"""Kept in less space, given as received: what may be recompressed, and what everybody sees of it."""

import io
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import UID

from pacs.dicom import uids
from pacs.errors import Invalid
from pacs.ingest.receipt import Duplicate, Refused, Stored, Superseded
from pacs.ingest.recompress import NAME, Fate
from pacs.outbox import deliveries, log
from pacs.pixels.convert import decode_with
from pacs.pixels.received import Received
from pacs.pixels.registry import second_decoder
from pacs.pixels.shape import FrameShape
from pacs.retrieve.selection import Wanted
from pacs.runtime import Archive
from tests.contract.conftest import ME, Opener, put
from tests.support import corpus
from tests.support.compressible import Picture, cells, picture, pictures, population
from tests.support.dicom_object import DicomObject, dataset_offset
from tests.support.factory import with_changes
from tests.support.recompressing import (
    AT_ONCE,
    LITTLE,
    RPCL,
    assert_kept,
    file_of,
    given,
    hot_files,
    index_of,
    key_of,
    native_frames,
    recompress,
    stored,
)
from tests.unit.pixels.stored_objects import stored as laid_open

POPULATION = tuple(population())


def metadata(archive: Archive, *items: DicomObject) -> list[bytes]:
    wanted = [Wanted(instances=(item.instance,)) for item in items]
    return [entry.json for one in wanted for entry in archive.retrieve.metadata(ME, one)]


def test_every_kind_of_sample_comes_back_bit_for_bit(opened: Opener) -> None:
    archive = opened(toml=AT_ONCE + 'durability = "process-crash"')
    items = [picture(like) for like in POPULATION]
    for item in items:
        put(archive, item.part10())
    before = metadata(archive, *items)
    recompress(archive, items)
    assert_kept(archive, items)
    assert metadata(archive, *items) == before
    for like, item in zip(POPULATION, items, strict=True):
        assert_frames(archive, like, item)
        assert isinstance(put(archive, item.part10()), Duplicate), like
    assert archive.recompressor.totals().objects == len(items)
    assert archive.recompressor.waiting() == (0, 0)
    index = index_of(archive)
    assert archive.checker.rebuild() == len(items)
    assert index_of(archive) == index
    assert_kept(archive, items)


def assert_frames(archive: Archive, like: Picture, item: DicomObject) -> None:
    """By a decoder that had no part in the encoding."""
    shape = FrameShape.of(laid_open(file_of(archive, stored(archive, item))).walk)
    decoder = second_decoder(RPCL)
    assert decoder is not None
    wanted = cells(like, 1)
    for frame, samples in zip(native_frames(archive, item, like.frames), wanted, strict=True):
        found = decode_with(decoder, frame, shape, RPCL).cells
        assert np.array_equal(found.reshape(samples.shape), samples), like


def test_packaged_files_come_back_or_stay(opened: Opener) -> None:
    archive = opened(toml=AT_ONCE + 'durability = "process-crash"')
    done: set[str] = set()
    for wave in corpus.waves():
        for item in wave:
            put(archive, item.part10())
        done |= {
            item.name
            for item in wave
            if archive.recompressor.one(item.instance).fate is Fate.DONE and item.transfer_syntax in LITTLE
        }
        archive.evictor.finish()
        for item in wave:
            assert given(archive, item) == item.dataset, item.name
    named = {Path(name).name for name in done}
    assert {"CT_small.dcm", "MR_small.dcm", "MR_small_implicit.dcm", "examples_palette.dcm"} <= named
    assert {"SC_rgb_jpeg_dcmd.dcm", "examples_rgb_color.dcm", "examples_overlay.dcm"} <= named
    left = archive.recompressor.totals().left
    assert left.pop("it would not become smaller") > 20
    assert sum(left.values()) >= 5, left
    assert list(archive.checker.check(deep=True)) == []
    index = index_of(archive)
    archive.checker.rebuild()
    assert index_of(archive) == index
    assert list(archive.checker.check(deep=True)) == []


def test_the_note_is_readable_and_stays_inside(archive: Archive) -> None:
    item = picture()
    put(archive, item.part10())
    former = stored(archive, item)
    recompress(archive, [item])
    file = file_of(archive, stored(archive, item))
    meta = pydicom.dcmread(io.BytesIO(file)).file_meta
    assert meta.PrivateInformationCreatorUID == uids.RECEIVED_FORM
    said = Received.of(file[: dataset_offset(file)])
    assert said is not None
    assert (said.digest, said.transfer_syntax) == (item.digest, item.transfer_syntax)
    assert said.prefix == item.part10()[: former.dataset_offset]
    with archive.retrieve.give(stored(archive, item), ("1.2.840.10008.1.2.4.90",)) as out:
        converted = b"".join(out.part10())
    assert Received.of(converted[: dataset_offset(converted)]) is None


@pytest.mark.parametrize("like", [Picture(), Picture(samples=3, allocated=8, stored=8)], ids=str)
def test_pixels_by_bulk_data_are_what_the_metadata_says(archive: Archive, like: Picture) -> None:
    item = picture(like)
    put(archive, item.part10())
    recompress(archive, [item])
    with archive.retrieve.bulkdata(ME, key_of(item), "7FE00010") as value:
        assert b"".join(value.chunks()) == pydicom.dcmread(io.BytesIO(item.part10())).PixelData
        assert value.vr == "OW" if like.allocated == 16 else "OB"


def test_other_bytes_still_supersede_and_both_are_known_again(opened: Opener) -> None:
    archive = opened(toml=AT_ONCE)
    items = pictures(2)
    for item in items:
        put(archive, item.part10())
    recompress(archive, items)
    newer = with_changes(items[0], StudyDescription="corrected")
    assert isinstance(put(archive, newer.part10()), Superseded)
    recompress(archive, [newer])
    newest = with_changes(items[0], StudyDescription="corrected twice")
    assert isinstance(put(archive, newest.part10()), Superseded)
    for item in (items[0], newer, newest):
        assert isinstance(put(archive, item.part10()), Duplicate)
    assert given(archive, newest) == newest.dataset
    assert_kept(archive, [newest, items[1]])
    index = index_of(archive)
    archive.checker.rebuild()
    assert index_of(archive) == index
    assert isinstance(put(archive, items[0].part10()), Duplicate)


def test_of_two_in_one_nanosecond_the_greater_received_digest_stays_current(opened: Opener) -> None:
    archive = opened(toml=AT_ONCE)
    one = picture()
    first, second = sorted((one, with_changes(one, StudyDescription="other")), key=lambda item: item.digest)
    put(archive, second.part10(), received_ns=10**18)
    recompress(archive, [second])
    put(archive, first.part10(), received_ns=10**18)
    assert given(archive, second) == second.dataset
    archive.checker.rebuild()
    assert given(archive, second) == second.dataset


def test_who_chose_before_gets_what_was_chosen(opened: Opener) -> None:
    archive = opened(toml=AT_ONCE)
    items = pictures(3, Picture(frames=3))
    for item in items:
        put(archive, item.part10())
    chosen = archive.retrieve.choose(ME, Wanted(series=(items[0].series,)))
    former = list(chosen)
    frames = archive.retrieve.frames(ME, key_of(items[0]), (2,))
    small = archive.retrieve.frames(ME, key_of(items[1]), (2,))
    recompress(archive, items)
    assert all(not archive.stores.hot.exists(key) for key in hot_files(archive) if ".2." not in key)
    for one, item in zip(former, items, strict=True):
        assert file_of(archive, one) == item.part10()
        with archive.retrieve.give(one, (one.transfer_syntax,)) as out:
            assert b"".join(out.part10()) == item.part10()
    with frames:
        (frame,) = (b"".join(one.chunks) for one in frames)
    assert frame == cells(Picture(frames=3), 1)[1].astype("<u2").tobytes()
    assert small.shape.bits_stored == 12


def test_what_cannot_be_done_is_noted_and_not_tried_again(archive: Archive) -> None:
    noise = picture(Picture(rows=9, columns=9))
    put(archive, noise.part10())
    first = archive.recompressor.one(noise.instance)
    assert (first.fate, first.reason) == (Fate.LEFT, "it would not become smaller")
    assert archive.recompressor.one(noise.instance).fate is Fate.PASSED
    assert list(archive.recompressor.every()) == []
    assert archive.recompressor.totals().left == {first.reason: 1}
    assert archive.recompressor.one("1.2.3").fate is Fate.PASSED
    assert_kept(archive, [noise])
    assert stored(archive, noise).transfer_syntax == noise.transfer_syntax


GROUP_LENGTH = b"\x28\x00\x00\x00UL\x04\x00\xff\x00\x00\x00"
ODD = {
    "a text that is padded with zero": (b"CS\x04\x00RGB ", b"CS\x04\x00RGB\0"),
    "a group length": (b"\x28\x00\x02\x00US", GROUP_LENGTH + b"\x28\x00\x02\x00US"),
    "an element twice": (b"\x28\x00\x02\x00US\x02\x00\x03\x00", b"\x28\x00\x02\x00US\x02\x00\x03\x00" * 2),
}


@pytest.mark.parametrize("how", ODD)
def test_odd_encodings_stay_as_they_are(archive: Archive, how: str) -> None:
    item = picture(Picture(samples=3, allocated=8, stored=8))
    assert item.dataset.count(ODD[how][0]) == 1
    item = replace(item, dataset=item.dataset.replace(*ODD[how]))
    put(archive, item.part10())
    outcome = archive.recompressor.one(item.instance)
    assert (outcome.fate, outcome.reason) == (
        Fate.LEFT,
        "the form this object was received in does not come back",
    )
    assert_kept(archive, [item])


def test_colour_by_plane_stays_as_it_is(archive: Archive) -> None:
    like = Picture(samples=3, allocated=8, stored=8)
    planes = cells(like, 1)[0].transpose(2, 0, 1).astype("u1").tobytes()
    item = with_changes(picture(like), PlanarConfiguration=1, PixelData=planes)
    put(archive, item.part10())
    assert archive.recompressor.one(item.instance).fate is Fate.LEFT
    assert_kept(archive, [item])


def test_bits_above_bits_stored_are_kept(opened: Opener) -> None:
    """An overlay in the unused bits, as old objects have it."""
    archive = opened(toml=AT_ONCE)
    item = picture()
    ds = pydicom.dcmread(io.BytesIO(item.part10()))
    overlay = np.frombuffer(ds.PixelData, "<u2") | (np.arange(96 * 80) // 37 % 2 << 14).astype("<u2")
    item = with_changes(item, PixelData=overlay.tobytes())
    put(archive, item.part10())
    recompress(archive, [item])
    assert_kept(archive, [item])


def test_a_note_that_comes_by_a_wire_is_not_ours(opened: Opener) -> None:
    """An object that another archive kept recompressed was not received by us in its former form."""
    sender, receiver = opened("sender", AT_ONCE), opened("receiver", AT_ONCE)
    item = picture(Picture(samples=3, allocated=8, stored=8))
    put(sender, item.part10())
    recompress(sender, [item])
    file = file_of(sender, stored(sender, item))
    assert isinstance(put(sender, file), Duplicate), "these very bytes lie here"
    receipt = put(receiver, file)
    assert isinstance(receipt, Stored)
    assert receipt.digest == stored(sender, item).digest
    kept = file_of(receiver, stored(receiver, item))
    assert Received.of(kept[: dataset_offset(kept)]) is None
    assert isinstance(put(receiver, item.part10()), Superseded)
    index = index_of(receiver)
    receiver.checker.rebuild()
    assert index_of(receiver) == index


def test_a_damaged_recompressed_file_is_told_and_never_given(opened: Opener) -> None:
    archive = opened(toml=AT_ONCE)
    item = picture()
    put(archive, item.part10())
    recompress(archive, [item])
    (key,) = hot_files(archive)
    path = archive.stores.hot.path(key)
    data = bytearray(path.read_bytes())
    data[-400] ^= 0xFF
    path.write_bytes(data)
    assert [found.kind for found in archive.checker.check(deep=True)] == ["wrong-bytes"]
    with pytest.raises(Exception, match="does not come back"):
        given(archive, item)


def test_two_forms_of_one_object_do_not_meet(opened: Opener) -> None:
    """Received in Implicit VR and in Explicit VR it is the same data set once it is recompressed."""
    archive = opened(toml=AT_ONCE)
    explicit = picture()
    ds = pydicom.dcmread(io.BytesIO(explicit.part10()))
    buffer = io.BytesIO()
    ds.file_meta.TransferSyntaxUID = UID(uids.IMPLICIT_LE)
    ds.save_as(buffer, implicit_vr=True, little_endian=True)
    implicit = DicomObject(
        "implicit", explicit.study, explicit.series, explicit.instance, explicit.sop_class,
        uids.IMPLICIT_LE, buffer.getvalue()[dataset_offset(buffer.getvalue()) :],
    )  # fmt: skip
    put(archive, implicit.part10())
    recompress(archive, [implicit])
    assert isinstance(put(archive, explicit.part10()), Superseded)
    outcome = archive.recompressor.one(explicit.instance)
    assert (outcome.fate, outcome.reason) == (Fate.LEFT, "a former version is kept as the same bytes")
    assert given(archive, explicit) == explicit.dataset
    assert isinstance(put(archive, implicit.part10()), Duplicate)
    later = with_changes(explicit, StudyDescription="later")
    assert isinstance(put(archive, later.part10()), Superseded)
    assert list(archive.checker.check(deep=True)) == []


def test_what_arrives_is_recompressed_by_the_crew(opened: Opener) -> None:
    off = opened()
    before = pictures(1)[0]
    put(off, before.part10())
    archive = opened(toml='[store]\nrecompress = "htj2k-rpcl"\n')
    crew = archive.crew()
    crew.start()
    try:
        items = pictures(3)
        for item in items:
            put(archive, item.part10())
        until_done(archive, 3)
    finally:
        assert crew.stop(60)
    assert_kept(archive, [before, *items])
    assert stored(archive, before).transfer_syntax == before.transfer_syntax, "it was here before"
    with archive.stores.db.read() as tx:
        assert deliveries.parked(tx) == ()
        assert log.position(tx, NAME) is not None
    crew = off.crew()
    crew.start()
    crew.stop(60)
    with archive.stores.db.read() as tx:
        assert log.position(tx, NAME) is None, "switched off, it holds no events back"


def until_done(archive: Archive, count: int) -> None:
    deadline = time.monotonic() + 60
    while archive.recompressor.totals().objects < count:
        assert time.monotonic() < deadline, "not recompressed in time"
        time.sleep(0.05)


def test_a_study_or_everything(opened: Opener) -> None:
    archive = opened(toml=AT_ONCE)
    one, other = pictures(2), pictures(3)
    for item in (*one, *other):
        put(archive, item.part10())
    sizes = [len(item.part10()) for item in other]
    assert archive.recompressor.waiting(other[0].study) == (3, sum(sizes))
    done = list(archive.recompressor.every(other[0].study))
    assert [outcome.size for outcome in done] == sizes
    assert archive.recompressor.waiting()[0] == 2
    assert [outcome.fate for outcome in archive.recompressor.every()] == [Fate.DONE] * 2
    assert_kept(archive, (*one, *other))
    facts = archive.facts(ME)
    assert facts["bytes"] == sum(stored(archive, item).size for item in (*one, *other))


def test_the_policy_of_keeping_the_first_holds(opened: Opener) -> None:
    archive = opened(toml=AT_ONCE + 'conflict = "keep-first"\n')
    item = picture()
    put(archive, item.part10())
    recompress(archive, [item])
    assert isinstance(put(archive, item.part10()), Duplicate)
    assert isinstance(put(archive, with_changes(item, StudyDescription="x").part10()), Refused)
    assert_kept(archive, [item])
    with pytest.raises(Invalid):
        archive.retrieve.frames(ME, key_of(item), (0,))
