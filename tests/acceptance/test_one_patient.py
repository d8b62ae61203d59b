"""Many senders bring different studies of one patient at once: they share that patient's row."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.support.archive_server import CLUSTER, LAPTOP, ArchiveServer, Deployment
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import PATIENT_ROOT, Client, identifier
from tests.support.factory import Patient, ct_series
from tests.support.web_client import Web, value

SENDERS = 8
STUDIES_EACH = 3
OBJECTS_EACH = 4
PATIENT = Patient(id="SHARED")


def send(server: ArchiveServer, number: int) -> list[DicomObject]:
    sent: list[DicomObject] = []
    for _ in range(STUDIES_EACH):
        study = ct_series(OBJECTS_EACH, rows=16, columns=16, patient=PATIENT)
        if number % 2:
            assert set(Client(server.dimse_port).store(study).values()) == {0}
        else:
            answer = Web(server.root).store(study)
            assert answer.status == 200, answer.text[:1000]
        sent += study
    return sent


def deadlocks(server: ArchiveServer) -> int:
    with psycopg.connect(server.index_url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    return int(row[0]) if row else 0


@pytest.mark.parametrize("deployment", [LAPTOP, CLUSTER], ids=str)
def test_all_arrive_and_are_counted(deployment: Deployment, deploy: Callable[..., ArchiveServer]) -> None:
    server = deploy(deployment)
    with ThreadPoolExecutor(SENDERS) as pool:
        sent = [item for items in pool.map(lambda n: send(server, n), range(SENDERS)) for item in items]
    keys = {"PatientID": "SHARED", "NumberOfPatientRelatedStudies": "", "NumberOfPatientRelatedInstances": ""}
    status, (patient,) = Client(server.dimse_port).find(identifier("PATIENT", **keys), PATIENT_ROOT)
    assert status == 0
    assert int(patient.NumberOfPatientRelatedStudies) == SENDERS * STUDIES_EACH
    assert int(patient.NumberOfPatientRelatedInstances) == len(sent)
    studies = Web(server.root).search("/studies", {"PatientID": "SHARED", "limit": "100"})
    assert [int(value(study, "00201208")) for study in studies] == [OBJECTS_EACH] * SENDERS * STUDIES_EACH
    if deployment.index == "postgresql":
        assert deadlocks(server) == 0, "writers take their locks in different orders"
