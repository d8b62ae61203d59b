"""Instance Availability on both wires, of what lies on the hot tier and of what lies in the cold one."""

from pathlib import Path

from pacs.store.folder import FolderStore
from tests.conformance.dicomweb.conftest import serving as web_serving
from tests.conformance.dimse.conftest import House
from tests.support.dimse_client import PATIENT_ROOT, STUDY_ROOT, identifier
from tests.support.factory import Patient, ct_series
from tests.support.tiers import Tiers
from tests.support.web_client import Web, value

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")


def test_what_is_cold_is_nearline_at_every_level(house: House, tmp_path: Path) -> None:
    (tmp_path / "cold").mkdir()
    tiers = Tiers(house.archive, FolderStore(tmp_path / "cold"), tmp_path)
    cold, hot = (ct_series(2, rows=8, columns=8, patient=Patient(id=which)) for which in ("COLD", "HOT"))
    assert set(house.client.store((*cold, *hot)).values()) == {0}
    tiers.to_cold(cold[0].study)
    for level in LEVELS:
        keys = identifier(level, PatientID="")
        model = PATIENT_ROOT if level == "PATIENT" else STUDY_ROOT
        _, found = house.client.find(keys, model)
        told = {(str(one.PatientID), str(one.InstanceAvailability)) for one in found}
        assert told == {("COLD", "NEARLINE"), ("HOT", "ONLINE")}
    with web_serving(house.archive) as url:
        for path in ("/studies", "/series", "/instances"):
            page = Web(f"{url}/dicom-web").search(path, {"includefield": "PatientID"})
            assert {(value(one, "00100020"), value(one, "00080056")) for one in page} == told
