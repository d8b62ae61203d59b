"""Transfer syntaxes that a station would rather have, or that are wanted of it (`[dimse.peers]`)."""

from dataclasses import replace

import pytest
from pynetdicom.presentation import build_context

from pacs.config import Peer as Known
from tests.conformance.dimse.conftest import Open
from tests.support import corpus
from tests.support.dimse_client import Client, Received, identifier, station
from tests.support.factory import ct_series, fresh_uid
from tests.support.pictures import noise, picture

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
RLE = "1.2.840.10008.1.2.5"
JPEG_LS = "1.2.840.10008.1.2.4.80"
RPCL = "1.2.840.10008.1.2.4.202"
CT = "1.2.840.10008.5.1.4.1.1.2"
REPORT = next(item for item in corpus.waves()[0] if item.name.endswith("/test-SR.dcm"))
TAKEN = [(CT, syntax) for syntax in (EXPLICIT, IMPLICIT, RLE, JPEG_LS)] + [(REPORT.sop_class, EXPLICIT)]


def known(aet: str, port: int = 104) -> Known:
    return Known(aet, "127.0.0.1", port, send_transfer_syntaxes=(RPCL, JPEG_LS, RLE))


@pytest.mark.parametrize("way", ["C-MOVE", "C-GET"])
def test_objects_go_as_a_station_would_rather_have_them(open_house: Open, way: str) -> None:
    """JPEG-LS before RLE, HTJ2K never, for it is not accepted; what is stored in RLE stays so, and a
    report, which cannot be compressed, goes as it does to everybody."""
    study = fresh_uid()
    images = {
        syntax: picture(noise(1, 20, 30), syntax=syntax, StudyInstanceUID=study, SOPClassUID=CT)
        for syntax in (IMPLICIT, RLE, RPCL)
    }
    items = [*images.values(), REPORT]
    keys = identifier("STUDY", StudyInstanceUID=sorted({item.study for item in items}))
    with station(TAKEN) as destination:
        house = open_house(peers=(known("DEST", destination.port), known("TESTER")))
        assert set(house.client.store(items).values()) == {0}
        received: dict[str, Received]
        if way == "C-MOVE":
            final, _ = house.client.move(keys, "DEST")
            received = destination.inbox.objects
        else:
            final, received = house.client.get(keys, TAKEN)
    assert (final.Status, final.NumberOfCompletedSuboperations) == (0, len(items))
    got = {syntax: received[item.instance].transfer_syntax for syntax, item in images.items()}
    assert got == {IMPLICIT: JPEG_LS, RLE: RLE, RPCL: JPEG_LS}
    assert received[images[RLE].instance].digest == images[RLE].digest
    assert received[REPORT.instance].transfer_syntax == EXPLICIT


def test_objects_are_taken_as_they_are_wanted_of_a_station(open_house: Open) -> None:
    wanted = Known("TESTER", "127.0.0.1", accept_transfer_syntaxes=(RPCL, JPEG_LS, IMPLICIT))
    house = open_house(peers=(wanted,), transfer_syntaxes=(RLE,))
    offered = [build_context(CT, [EXPLICIT, IMPLICIT, RLE, JPEG_LS])]

    def accepted(aet: str) -> str:
        with replace(house.client, aet=aet).association(offered) as association:
            (context,) = association.accepted_contexts
            return str(context.transfer_syntax[0])

    assert accepted("TESTER") == JPEG_LS
    assert accepted("SOMEBODY") == RLE
    (item,) = ct_series(1, rows=8, columns=8)
    assert Client(house.port).store([item]) == {item.instance: 0}
