"""C-MOVE and C-GET as CONFORMANCE has them: many objects, many contexts, DCMTK as the other side."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, build_context, evt, sop_class
from pynetdicom.presentation import build_role

from tests.conformance.dimse.conftest import House, Open
from tests.conftest import TORTURE
from tests.support.dicom_object import DicomObject, dataset_of
from tests.support.dimse_client import Inbox, Station, identifier, station, storescp
from tests.support.factory import ct_series, fresh_uid, with_changes
from tests.support.ports import free_port

GET = sop_class.StudyRootQueryRetrieveInformationModelGet
MOVE = sop_class.StudyRootQueryRetrieveInformationModelMove
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
MANY = 5000 if TORTURE else 100


def of_study(*items: DicomObject) -> Dataset:
    return identifier("STUDY", StudyInstanceUID=items[0].study)


def test_more_classes_than_fit_into_one_association(open_house: Open) -> None:
    study = fresh_uid()
    classes = sorted(set(sop_class._STORAGE_CLASSES.values()))[:140]
    items = [
        with_changes(item, SOPClassUID=one)
        for item, one in zip(ct_series(len(classes), study=study, rows=1, columns=1), classes, strict=True)
    ]
    with station([(one, EXPLICIT) for one in classes]) as destination:
        house = open_house(destination)
        assert set(house.client.store(items).values()) == {0}
        final, _ = house.client.move(identifier("STUDY", StudyInstanceUID=study), destination.aet)
        assert (final.Status, final.NumberOfCompletedSuboperations) == (0, 140)
        assert set(destination.inbox.objects) == {item.instance for item in items}
        offered = classes[:100]
        final, got = house.client.get(
            identifier("STUDY", StudyInstanceUID=study), [(one, EXPLICIT) for one in offered]
        )
    assert (final.Status, len(got), final.NumberOfFailedSuboperations) == (0xB000, 100, 40)


def test_get_is_limited_to_the_roles_that_were_offered(open_house: Open) -> None:
    """Two classes over contexts of both, the role of one (PS3.7 D.3.3.4)."""
    (item,) = ct_series(1, rows=8, columns=8)
    mr = "1.2.840.10008.5.1.4.1.1.4"
    (other,) = ct_series(1, rows=8, columns=8, study=item.study)
    other = with_changes(other, SOPClassUID=mr)
    house, inbox = open_house(), Inbox()
    house.client.store([item, other])
    contexts = [build_context(GET), build_context(CT, EXPLICIT), build_context(mr, EXPLICIT)]
    roles = [build_role(UID(CT), scp_role=True)]
    with house.client.association(contexts, roles, [(evt.EVT_C_STORE, inbox.handle)]) as association:
        *_, (final, missed) = association.send_c_get(of_study(item), GET)
    assert (final.Status, final.NumberOfCompletedSuboperations, final.NumberOfFailedSuboperations) == (
        (0xB000, 1, 1)
    )
    assert set(inbox.objects) == {item.instance}
    assert missed.FailedSOPInstanceUIDList == other.instance


@pytest.mark.torture
def test_many_objects(open_house: Open) -> None:
    items = ct_series(MANY, rows=4, columns=4)
    with station([(CT, EXPLICIT)]) as destination:
        house = open_house(destination)
        assert set(house.client.store(items).values()) == {0}
        final, got = house.client.get(of_study(*items), [(CT, EXPLICIT)])
        assert (final.Status, final.NumberOfCompletedSuboperations, len(got)) == (0, MANY, MANY)
        final, pending = house.client.move(of_study(*items), destination.aet)
        assert (final.Status, final.NumberOfCompletedSuboperations) == (0, MANY)
        counts = [(one.NumberOfRemainingSuboperations, one.NumberOfCompletedSuboperations) for one in pending]
        assert counts[0][0] == MANY - 1
        assert all(remaining + completed == MANY for remaining, completed in counts)
        assert len(destination.inbox.objects) == MANY


@contextlib.contextmanager
def grumbling(status: int, *, slow_s: float = 0.0) -> Iterator[Station]:
    """A destination that answers every object with this status."""
    inbox, ae, port = Inbox(), AE("DEST"), free_port()
    ae.add_supported_context(CT, EXPLICIT)

    def handle(event: evt.Event) -> int:
        time.sleep(slow_s)
        inbox.handle(event)
        return status

    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, handle)])
    try:
        yield Station("DEST", port, inbox)
    finally:
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "final_status", "counts"),
    [(0xB000, 0xB000, (0, 0, 3)), (0xB007, 0xB000, (0, 0, 3)), (0xA700, 0xA702, (0, 3, 0))],
    ids=["coerced", "does not match", "out of resources"],
)
def test_what_the_destination_says_is_counted(
    open_house: Open, status: int, final_status: int, counts: tuple[int, int, int]
) -> None:
    items = ct_series(3, rows=8, columns=8)
    with grumbling(status) as destination:
        house = open_house(destination)
        house.client.store(items)
        with house.client.association([build_context(MOVE)]) as association:
            *_, (final, missed) = association.send_c_move(of_study(*items), "DEST", MOVE)
    assert final.Status == final_status
    assert (
        final.NumberOfCompletedSuboperations,
        final.NumberOfFailedSuboperations,
        final.NumberOfWarningSuboperations,
    ) == counts
    if counts[1]:
        assert list(missed.FailedSOPInstanceUIDList) == [item.instance for item in items]


def test_cancel_stops_the_move(open_house: Open) -> None:
    items = ct_series(60, rows=8, columns=8)
    with grumbling(0, slow_s=0.02) as destination:
        house = open_house(destination)
        house.client.store(items)
        final = None
        with house.client.association([build_context(MOVE)]) as association:
            for number, (status, _) in enumerate(association.send_c_move(of_study(*items), "DEST", MOVE)):
                final = status
                if number == 2:
                    association.send_c_cancel(1, query_model=MOVE)
        assert final is not None
        assert final.Status == 0xFE00
        done = final.NumberOfCompletedSuboperations
        assert final.NumberOfRemainingSuboperations == 60 - done
        assert done < 60
        assert len(destination.inbox.objects) == done


def test_cancel_stops_the_get(open_house: Open) -> None:
    """What is under way arrives whole; the rest never sets out."""
    items, inbox = ct_series(60, rows=8, columns=8), Inbox()
    house = open_house()
    house.client.store(items)

    def take(event: evt.Event) -> int:
        if len(inbox.objects) == 3:
            event.assoc.send_c_cancel(1, query_model=GET)
        time.sleep(0.02)
        return inbox.handle(event)

    contexts, roles = [build_context(GET), build_context(CT, EXPLICIT)], [build_role(UID(CT), scp_role=True)]
    with house.client.association(contexts, roles, [(evt.EVT_C_STORE, take)]) as association:
        *_, (final, _) = association.send_c_get(of_study(*items), GET)
    done = final.NumberOfCompletedSuboperations
    assert (final.Status, final.NumberOfRemainingSuboperations) == (0xFE00, 60 - done)
    assert 3 < done < 60
    digests = {item.instance: item.digest for item in items}
    assert len(inbox.objects) == done
    assert all(digests[uid] == one.digest for uid, one in inbox.objects.items())


@pytest.mark.parametrize("taken", [True, False])
def test_classes_that_the_standard_does_not_know_by_setting(open_house: Open, *, taken: bool) -> None:
    (item,) = ct_series(1, rows=8, columns=8)
    private = with_changes(item, SOPClassUID="1.2.826.0.1.3680043.10.1337.99")
    house = open_house(unknown_sop_classes=taken)
    (known,) = ct_series(1, rows=8, columns=8, study=item.study)
    sent = {known.instance: 0, private.instance: 0 if taken else -2}
    assert house.client.store([known, private]) == sent
    _, got = house.client.get(of_study(item), [(CT, EXPLICIT), (private.sop_class, EXPLICIT)])
    assert {uid: one.digest for uid, one in got.items()} == {
        one.instance: one.digest for one in (known, private) if sent[one.instance] == 0
    }


@pytest.mark.parametrize("limit", [0, 4096, 16_384])
def test_pieces_are_no_longer_than_the_requestor_takes(open_house: Open, limit: int) -> None:
    (item,) = ct_series(1, rows=256, columns=256)
    house, inbox, longest = open_house(), Inbox(), [0]
    house.client.store([item])

    def measure(event: evt.Event) -> None:
        longest[0] = max(longest[0], len(event.data) - 6)

    handlers = [(evt.EVT_C_STORE, inbox.handle), (evt.EVT_DATA_RECV, measure)]
    contexts, roles = [build_context(GET), build_context(CT, EXPLICIT)], [build_role(UID(CT), scp_role=True)]
    ae = AE("TESTER")
    ae.requested_contexts = contexts
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 60
    joined = ae.associate("127.0.0.1", house.port, ext_neg=roles, evt_handlers=handlers, max_pdu=limit)
    *_, (final, _) = joined.send_c_get(of_study(item), GET)
    joined.release()
    assert (final.Status, inbox.objects[item.instance].digest) == (0, item.digest)
    assert 0 < longest[0] <= (limit or 1 << 32)
    assert limit or longest[0] > 100_000


def run_dcmtk(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.peer("dcmtk")
@pytest.mark.parametrize("option", ["+xe", "+xi"])
def test_movescu_to_storescp(open_house: Open, tmp_path: Path, option: str) -> None:
    """As stored where that is taken, else converted."""
    items = ct_series(5, rows=16, columns=16)
    with storescp(tmp_path / "got", option) as destination:
        house = open_house(destination)
        house.client.store(items)
        done = move_by_dcmtk(house, items[0].study)
        assert done.returncode == 0, done.stderr
        got = [path for path in (tmp_path / "got").iterdir() if path.is_file()]
        assert len(got) == 5
        if option == "+xe":
            assert {dataset_of(path) for path in got} == {item.dataset for item in items}


def move_by_dcmtk(house: House, study: str) -> "subprocess.CompletedProcess[str]":
    return run_dcmtk(
        "movescu", "-S", "-aec", "HILUM", "-aem", "DEST", "127.0.0.1", str(house.port),
        "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}",
    )  # fmt: skip
