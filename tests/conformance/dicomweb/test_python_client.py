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
