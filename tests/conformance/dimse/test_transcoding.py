"""Receivers that do not take what is stored get it losslessly converted, or hear why not."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from tests.conformance.dimse.conftest import Open
from tests.support import corpus
from tests.support.dicom_object import DicomObject, part10_prefix
from tests.support.dimse_client import Received, Station, identifier, station
from tests.support.factory import fresh_uid
from tests.support.pictures import Kind, Samples, noise, picture, read, samples_of
from tests.support.ports import free_port

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
RLE = "1.2.840.10008.1.2.5"
JPEG = "1.2.840.10008.1.2.4.50"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
RPCL = "1.2.840.10008.1.2.4.202"
STORED = [IMPLICIT, EXPLICIT, RLE, JPEG_LS, RPCL]
CT = "1.2.840.10008.5.1.4.1.1.2"
REPORT = next(item for item in corpus.waves()[0] if item.name.endswith("/test-SR.dcm"))

Study = dict[str, tuple[DicomObject, Samples]]


def study_of(*syntaxes: str, sop_class: str = CT) -> Study:
    """One object of two frames in each transfer syntax."""
    study = fresh_uid()
    return {
        item.instance: (item, samples)
        for number, syntax in enumerate(syntaxes)
        for samples in [noise(2, 40, 31, seed=number)]
        for item in [picture(samples, syntax=syntax, StudyInstanceUID=study, SOPClassUID=sop_class)]
    }


def items_of(study: Study) -> list[DicomObject]:
    return [item for item, _ in study.values()]


def keys_of(*items: DicomObject) -> Dataset:
    return identifier("STUDY", StudyInstanceUID=sorted({item.study for item in items}))


def file_of(received: Received) -> bytes:
    return part10_prefix(received.sop_class, received.instance, received.transfer_syntax) + received.dataset


def assert_same(study: Study, received: dict[str, Received], *accepted: str) -> None:
    """Everything is there, as stored wherever that was accepted, and else sample for sample."""
    assert set(received) == set(study)
    for instance, (item, samples) in study.items():
        one = received[instance]
        assert one.transfer_syntax in accepted
        if item.transfer_syntax in accepted:
            assert (one.transfer_syntax, one.digest) == (item.transfer_syntax, item.digest)
        file = file_of(one)
        assert read(file).SOPInstanceUID == instance
        assert (samples_of(file) == samples).all()


ACCEPTED = [
    (EXPLICIT,),
    (IMPLICIT,),
    (EXPLICIT, IMPLICIT),
    (JPEG_LS,),
    (JPEG_2000,),
    (RPCL,),
    (RLE,),
    (RPCL, IMPLICIT),
]


@pytest.mark.parametrize("accepted", ACCEPTED, ids=lambda value: " ".join(u[14:] or "2" for u in value))
def test_moved_to_a_destination_that_takes_little(open_house: Open, accepted: tuple[str, ...]) -> None:
    study = study_of(*STORED)
    with station([(CT, syntax) for syntax in accepted]) as destination:
        house = open_house(destination)
        house.client.store(items_of(study))
        final, _ = house.client.move(keys_of(*items_of(study)), destination.aet)
    assert (final.Status, final.NumberOfCompletedSuboperations) == (0, len(study))
    assert_same(study, destination.inbox.objects, *accepted)


@pytest.mark.parametrize("accepted", ACCEPTED, ids=lambda value: " ".join(u[14:] or "2" for u in value))
def test_gotten_over_contexts_of_little(open_house: Open, accepted: tuple[str, ...]) -> None:
    study = study_of(*STORED)
    house = open_house()
    house.client.store(items_of(study))
    final, received = house.client.get(keys_of(*items_of(study)), [(CT, syntax) for syntax in accepted])
    assert (final.Status, final.NumberOfCompletedSuboperations) == (0, len(study))
    assert_same(study, received, *accepted)


def test_offsets_of_the_frames_are_written(open_house: Open) -> None:
    study = study_of(EXPLICIT)
    house = open_house()
    house.client.store(items_of(study))
    _, received = house.client.get(keys_of(*items_of(study)), [(CT, JPEG_LS)])
    (one,) = received.values()
    at = one.dataset.index(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff") + 12
    assert one.dataset[at : at + 12] == b"\xfe\xff\x00\xe0\x08\0\0\0\0\0\0\0"


def test_what_has_no_pixels_goes_natively(open_house: Open) -> None:
    with station([(REPORT.sop_class, IMPLICIT), (REPORT.sop_class, JPEG_LS)]) as destination:
        house = open_house(destination)
        house.client.store([REPORT])
        final, _ = house.client.move(keys_of(REPORT), destination.aet)
    assert final.Status == 0
    (received,) = destination.inbox.objects.values()
    assert received.transfer_syntax == IMPLICIT
    assert read(file_of(received)) == read(REPORT.part10())


def test_what_cannot_be_converted_is_counted_with_its_reason(open_house: Open) -> None:
    """A report for a receiver of JPEG-LS only, 32 bits for one too, and a class that is not taken."""
    study = study_of(EXPLICIT)
    (plain,) = items_of(study)
    wide = picture(noise(1, 4, 4).astype("u4"), Kind(32), StudyInstanceUID=plain.study, SOPClassUID=CT)
    accepted = [(CT, JPEG_LS), (REPORT.sop_class, JPEG_LS)]
    with station(accepted) as destination:
        house = open_house(destination)
        house.client.store([plain, wide, REPORT])
        keys = keys_of(plain, REPORT)
        moved, _ = house.client.move(keys, destination.aet)
        gotten, received = house.client.get(keys, accepted)
    assert set(received) == set(destination.inbox.objects) == {plain.instance}
    for final in (moved, gotten):
        assert final.Status == 0xB000
        assert (final.NumberOfCompletedSuboperations, final.NumberOfFailedSuboperations) == (1, 2)
        assert final.ErrorComment
        assert not any(part in final.ErrorComment for part in ("Picture", "PIC-1"))


def test_a_frame_that_is_broken_fails_alone(open_house: Open) -> None:
    """Not the first one: what is sent must not break off in the middle."""
    study = study_of(JPEG_LS, JPEG_LS)
    bad, good = items_of(study)
    at = bad.file.rindex(b"\xff\xd8\xff") + 40
    bad = DicomObject(
        "bad", bad.study, bad.series, bad.instance, bad.sop_class, JPEG_LS,
        bad.dataset[: at - len(bad.file)] + bytes(200) + bad.dataset[at + 200 - len(bad.file) :],
    )  # fmt: skip
    house = open_house()
    house.client.store([bad, good])
    final, received = house.client.get(keys_of(good), [(CT, EXPLICIT)])
    assert set(received) == {good.instance}
    assert (final.Status, final.NumberOfFailedSuboperations) == (0xB000, 1)
    assert "JPEG" in final.ErrorComment or "CharLS" in final.ErrorComment


def test_one_context_of_many_syntaxes_is_one_that_can_be_written(open_house: Open) -> None:
    """A peer that lists its syntaxes in one context leaves the choice to us."""
    study = study_of(EXPLICIT, JPEG_LS, RPCL)
    house = open_house()
    house.client.store([*items_of(study), REPORT])
    keys = keys_of(REPORT, *items_of(study))
    offered = [(CT, (JPEG_LOSSLESS, JPEG, JPEG_LS, EXPLICIT)), (REPORT.sop_class, (JPEG_LS, IMPLICIT))]
    final, received = house.client.get(keys, offered)
    assert final.Status == 0
    assert {one.transfer_syntax for uid, one in received.items() if uid in study} == {JPEG_LS}
    assert received[REPORT.instance].transfer_syntax == IMPLICIT


@contextlib.contextmanager
def storescp(folder: Path, *options: str) -> Iterator[Station]:
    folder.mkdir()
    port = free_port()
    command = ["storescp", "-B", *options, "-aet", "SCP", "-od", str(folder), str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until_listening(port)
            yield Station("SCP", port, None)  # type: ignore[arg-type]
        finally:
            process.kill()


def wait_until_listening(port: int) -> None:
    deadline = time.monotonic() + 20
    at = ["-to", "5", "127.0.0.1", str(port)]
    while subprocess.run(["echoscu", *at], check=False, capture_output=True).returncode:
        assert time.monotonic() < deadline, "storescp does not listen"
        time.sleep(0.05)


@pytest.mark.peer("dcmtk")
@pytest.mark.parametrize(
    ("option", "expected"),
    [("+xi", {IMPLICIT}), ("+xe", {IMPLICIT, EXPLICIT}), ("+xt", {IMPLICIT, EXPLICIT, JPEG_LS})],
)
def test_movescu_to_storescp(open_house: Open, tmp_path: Path, option: str, expected: set[str]) -> None:
    study = study_of(*STORED)
    with storescp(tmp_path / "moved", option) as destination:
        house = open_house(destination)
        house.client.store(items_of(study))
        key = f"StudyInstanceUID={items_of(study)[0].study}"
        at = ["-aec", "HILUM", "127.0.0.1", str(house.port)]
        subprocess.run(
            ["movescu", "-S", "-aem", "SCP", *at, "-k", "QueryRetrieveLevel=STUDY", "-k", key], check=True
        )
    assert_files(study, tmp_path / "moved", expected)


@pytest.mark.peer("dcmtk")
@pytest.mark.parametrize(
    ("option", "expected"),
    [("+xe", EXPLICIT), ("+xt", JPEG_LS), ("+xv", JPEG_2000), ("+xr", RLE), ("+xs", EXPLICIT)],
)
def test_getscu(open_house: Open, tmp_path: Path, option: str, expected: str) -> None:
    study = study_of(*STORED)
    house = open_house()
    house.client.store(items_of(study))
    (tmp_path / "got").mkdir()
    key = f"StudyInstanceUID={items_of(study)[0].study}"
    at = ["-aec", "HILUM", "127.0.0.1", str(house.port)]
    command = ["getscu", "-B", "-S", option, *at, "-k", "QueryRetrieveLevel=STUDY", "-k", key]
    subprocess.run([*command, "-od", str(tmp_path / "got")], check=True)
    assert_files(study, tmp_path / "got", {expected})


def assert_files(study: Study, folder: Path, syntaxes: set[str]) -> None:
    files = [path.read_bytes() for path in folder.iterdir()]
    found = {read(file).SOPInstanceUID: file for file in files}
    assert set(found) == set(study)
    assert {str(read(file).file_meta.TransferSyntaxUID) for file in files} == syntaxes
    for instance, (_, samples) in study.items():
        assert (samples_of(found[instance]) == samples).all()
