"""Packaged objects of many classes and syntaxes: in by C-STORE, out by C-GET and C-MOVE, bit for bit."""

import subprocess
from pathlib import Path

import pytest

from tests.conformance.dimse.conftest import Open
from tests.support import corpus
from tests.support.dicom_object import DicomObject, dataset_of
from tests.support.dimse_client import identifier, station
from tests.support.factory import ct_series

WAVE = corpus.waves()[0]
PAIRS = tuple(dict.fromkeys((item.sop_class, item.transfer_syntax) for item in WAVE))
STUDIES = sorted({item.study for item in WAVE})


def digests(items: tuple[DicomObject, ...]) -> dict[str, str]:
    return {item.instance: item.digest for item in items}


def test_in_and_out(open_house: Open) -> None:
    with station(PAIRS) as destination:
        house = open_house(destination)
        assert set(house.client.store(WAVE).values()) == {0}
        final, gotten = house.client.get(identifier("STUDY", StudyInstanceUID=STUDIES), PAIRS)
        assert final.Status == 0
        assert {uid: item.digest for uid, item in gotten.items()} == digests(WAVE)
        final, pending = house.client.move(identifier("STUDY", StudyInstanceUID=STUDIES), destination.aet)
        assert (final.Status, final.NumberOfCompletedSuboperations) == (0, len(WAVE))
        assert [p.NumberOfRemainingSuboperations for p in pending][-1] == 0
        assert {uid: item.digest for uid, item in destination.inbox.objects.items()} == digests(WAVE)


def test_what_cannot_be_given_is_listed(open_house: Open) -> None:
    item = next(item for item in WAVE if item.transfer_syntax == "1.2.840.10008.1.2.4.50")
    plain = ct_series(2, rows=8, columns=8)
    accepted = [(plain[0].sop_class, plain[0].transfer_syntax), (item.sop_class, "1.2.840.10008.1.2.4.51")]
    with station(accepted) as destination:
        house = open_house(destination)
        house.client.store([item, *plain])
        keys = identifier("STUDY", StudyInstanceUID=[item.study, plain[0].study])
        final, _ = house.client.move(keys, destination.aet)
        assert final.Status == 0xB000
        assert (final.NumberOfCompletedSuboperations, final.NumberOfFailedSuboperations) == (2, 1)
        final, gotten = house.client.get(keys, accepted)
        assert (final.Status, len(gotten)) == (0xB000, 2)


@pytest.mark.peer("dcmtk")
def test_dcmtk(open_house: Open, tmp_path: Path) -> None:
    items = ct_series(4, rows=64, columns=64)
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.mkdir()
    got.mkdir()
    for number, item in enumerate(items):
        (sent / f"{number}.dcm").write_bytes(item.part10())
    house = open_house()
    at = ["-aec", "HILUM", "127.0.0.1", str(house.port)]
    key = f"StudyInstanceUID={items[0].study}"
    subprocess.run(["echoscu", *at], check=True)
    subprocess.run(["storescu", *at, "+sd", str(sent)], check=True)
    subprocess.run(
        ["getscu", "-B", "-S", *at, "-k", "QueryRetrieveLevel=STUDY", "-k", key, "-od", str(got)], check=True
    )
    assert {dataset_of(path) for path in got.iterdir()} == {item.dataset for item in items}
