"""The public Python client as an independent peer."""

import io

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient

from tests.conformance.dicomweb.conftest import packaged
from tests.support.factory import ct_series
from tests.support.web_client import value

CT = packaged("CT_small.dcm")
JPEG = packaged("JPEG-lossy.dcm")
REPORT = packaged("test-SR.dcm")


@pytest.fixture
def peer(root: str) -> DICOMwebClient:
    return DICOMwebClient(root)


def test_store(empty: str) -> None:
    client = DICOMwebClient(f"{empty}/dicom-web")
    datasets = [pydicom.dcmread(io.BytesIO(item.part10())) for item in ct_series(2)]
    answer = client.store_instances(datasets)
    assert len(answer.ReferencedSOPSequence) == 2
    assert "FailedSOPSequence" not in answer
    assert len(client.search_for_instances()) == 2


def test_search(peer: DICOMwebClient) -> None:
    (study,) = peer.search_for_studies(
        search_filters={"StudyInstanceUID": CT.study}, fields=["StudyDescription"]
    )
    assert value(study, "0020000D") == CT.study
    everything = peer.search_for_studies(get_remaining=True, limit=7)
    assert len(everything) == len(peer.search_for_studies())
    assert peer.search_for_series(CT.study)
    assert peer.search_for_instances(CT.study, CT.series)


@pytest.mark.parametrize("item", [CT, JPEG], ids=["native", "jpeg"])
def test_retrieve_instance(peer: DICOMwebClient, item: object) -> None:
    assert isinstance(item, type(CT))
    whole = peer.retrieve_instance(
        item.study, item.series, item.instance, media_types=(("application/dicom", "*"),)
    )
    assert whole.SOPInstanceUID == item.instance
    assert whole.PixelData == pydicom.dcmread(io.BytesIO(item.part10())).PixelData
    assert peer.retrieve_instance(item.study, item.series, item.instance).SOPInstanceUID == item.instance


def test_retrieve_study_and_series(peer: DICOMwebClient) -> None:
    assert peer.retrieve_study(CT.study)[0].StudyInstanceUID == CT.study
    assert next(iter(peer.iter_series(CT.study, CT.series))).SeriesInstanceUID == CT.series


def test_metadata_and_bulk_data(peer: DICOMwebClient) -> None:
    (metadata,) = peer.retrieve_series_metadata(CT.study, CT.series)
    dataset = pydicom.Dataset.from_json(metadata, bulk_data_uri_handler=lambda *_: b"")
    assert dataset.PatientName == "CompressedSamples^CT1"
    assert peer.retrieve_study_metadata(CT.study) == [metadata]
    assert peer.retrieve_instance_metadata(CT.study, CT.series, CT.instance) == metadata
    uri = metadata["7FE00010"]["BulkDataURI"]
    (pixels,) = peer.retrieve_bulkdata(uri)
    assert pixels == pydicom.dcmread(io.BytesIO(CT.part10())).PixelData


def test_frames(peer: DICOMwebClient) -> None:
    native = pydicom.dcmread(io.BytesIO(CT.part10()))
    for media_types in (None, ("application/octet-stream",), (("application/octet-stream", "*"),)):
        (frame,) = peer.retrieve_instance_frames(
            CT.study, CT.series, CT.instance, [1], media_types=media_types
        )
        assert frame == native.PixelData
    (frame,) = peer.retrieve_instance_frames(
        JPEG.study, JPEG.series, JPEG.instance, [1], media_types=(("image/jpeg", JPEG.transfer_syntax),)
    )
    assert frame[:2] == b"\xff\xd8"


def test_rendered(peer: DICOMwebClient) -> None:
    uids = (CT.study, CT.series, CT.instance)
    assert peer.retrieve_instance_rendered(*uids).startswith(b"\xff\xd8")
    for kind, start in (("image/jpeg", b"\xff\xd8"), ("image/png", b"\x89PNG"), ("image/gif", b"GIF8")):
        assert peer.retrieve_instance_rendered(*uids, media_types=(kind,)).startswith(start)
        assert peer.retrieve_instance_frames_rendered(*uids, [1], media_types=(kind,)).startswith(start)
    small = peer.retrieve_instance_rendered(
        *uids, media_types=("image/png",), params={"viewport": "32,32", "window": "40,400,linear"}
    )
    assert small.startswith(b"\x89PNG")
    assert b"<h1>" in peer.retrieve_instance_rendered(
        REPORT.study, REPORT.series, REPORT.instance, media_types=("text/html",)
    )
    series = peer.retrieve_series_rendered(CT.study, CT.series, media_types=("image/jpeg",))
    assert series == peer.retrieve_instance_rendered(*uids, media_types=("image/jpeg",))


def test_streams_and_ranges(peer: DICOMwebClient) -> None:
    uids = (CT.study, CT.series, CT.instance)
    pixels = pydicom.dcmread(io.BytesIO(CT.part10())).PixelData
    assert list(peer.iter_instance_frames(*uids, [1])) == [pixels]
    assert next(iter(peer.iter_study(CT.study))).StudyInstanceUID == CT.study
    uri = peer.retrieve_instance_metadata(*uids)["7FE00010"]["BulkDataURI"]
    assert list(peer.iter_bulkdata(uri)) == [pixels]
    (some,) = peer.retrieve_bulkdata(uri, media_types=("application/octet-stream",), byte_range=(0, 99))
    # The range is one of the whole answer (RFC 9110 14.1.2), in which the part has a head.
    assert 0 < len(some) <= 100
    assert pixels.startswith(bytes(some))


def test_what_the_client_is_told_of_failures(peer: DICOMwebClient) -> None:
    with pytest.raises(OSError, match="404"):
        peer.retrieve_instance_metadata(CT.study, CT.series, "1.2.3")
    with pytest.raises(OSError, match="406"):
        peer.retrieve_instance_rendered(
            REPORT.study, REPORT.series, REPORT.instance, media_types=("image/jpeg",)
        )
