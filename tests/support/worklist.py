"""Orders to place, and what a modality asks its worklist and tells of its work."""

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, generate_uid
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import ModalityPerformedProcedureStep, ModalityWorklistInformationFind

from dimse.service import serve
from pacs.auth.actor import system
from pacs.config import Config
from pacs.orders import read
from pacs.orders.model import Order
from pacs.runtime import Archive, open_archive
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import Client

WORKLIST = ModalityWorklistInformationFind
MPPS = ModalityPerformedProcedureStep
RIS = system("ris")


def order(patient: str = "P1", name: str = "Doe^Jane", accession: str = "A1", **more: Any) -> dict[str, Any]:
    """One order as JSON, with one step; `more` goes into the step, `_x` into the order itself."""
    step = {"station_aet": "CT1", "modality": "CT", "start": "2026-07-05T10:00"}
    above = {key.removeprefix("_"): value for key, value in more.items() if key.startswith("_")}
    inside = {key: value for key, value in more.items() if not key.startswith("_")}
    return {
        "patient": {"id": patient, "name": name},
        "accession_number": accession,
        "procedure": {"description": "Whatever is asked"},
        "steps": [step | inside],
        **above,
    }


def place(archive: Archive, *orders: dict[str, Any]) -> list[Order]:
    return [archive.orders.place(RIS, read.from_json(one)) for one in orders]


def keys(step: dict[str, Any] | None = None, **above: Any) -> Dataset:
    """A worklist query; `step` are keys of the scheduled procedure step sequence."""
    asked = Dataset()
    for keyword, value in above.items():
        setattr(asked, keyword, value)
    if step is not None:
        asked.ScheduledProcedureStepSequence = [dataset(**step)]
    return asked


def dataset(**values: Any) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def find(port: int, asked: Dataset, *, aet: str = "CT1") -> tuple[int, list[Dataset]]:
    return Client(port, aet=aet).find(asked, WORKLIST)


def begun(of: Order | None = None, study: str = "", patient: str = "P1", **values: Any) -> Dataset:
    """The N-CREATE data set of a step for the order, or for nothing that was scheduled."""
    told = dataset(
        PatientName=of.patient.name if of else "Doe^Jane",
        PatientID=of.patient.id if of else patient,
        PatientBirthDate="",
        PatientSex="",
        ReferencedPatientSequence=[],
        PerformedProcedureStepID="PPS1",
        PerformedStationAETitle="CT1",
        PerformedStationName="",
        PerformedLocation="",
        PerformedProcedureStepStartDate="20260705",
        PerformedProcedureStepStartTime="1005",
        PerformedProcedureStepStatus="IN PROGRESS",
        PerformedProcedureStepDescription="",
        PerformedProcedureTypeDescription="",
        ProcedureCodeSequence=[],
        PerformedProcedureStepEndDate="",
        PerformedProcedureStepEndTime="",
        Modality="CT",
        StudyID="",
        PerformedProtocolCodeSequence=[],
        PerformedSeriesSequence=[],
        ScheduledStepAttributesSequence=[
            dataset(
                StudyInstanceUID=of.study_uid if of else study or generate_uid(),
                ReferencedStudySequence=[],
                AccessionNumber=of.accession_number if of else "",
                RequestedProcedureID=of.procedure.id if of else "",
                RequestedProcedureDescription="",
                ScheduledProcedureStepID=of.steps[0].id if of else "",
                ScheduledProcedureStepDescription="",
                ScheduledProtocolCodeSequence=[],
            )
        ],
    )
    told.update(dataset(**values))
    return told


def ended(objects: Sequence[DicomObject] = (), status: str = "COMPLETED", **values: Any) -> Dataset:
    """The N-SET data set that ends a step in which these objects were made, all of one series."""
    series = objects[0].series if objects else generate_uid()
    made = [
        dataset(ReferencedSOPClassUID=one.sop_class or CTImageStorage, ReferencedSOPInstanceUID=one.instance)
        for one in objects
    ]
    told = dataset(
        PerformedProcedureStepStatus=status,
        PerformedProcedureStepEndDate="20260705",
        PerformedProcedureStepEndTime="1020",
        PerformedSeriesSequence=[
            dataset(
                PerformingPhysicianName="",
                ProtocolName="Thorax",
                OperatorsName="",
                SeriesInstanceUID=series,
                SeriesDescription="",
                RetrieveAETitle="",
                ReferencedImageSequence=made,
                ReferencedNonImageCompositeSOPInstanceSequence=[],
            )
        ],
    )
    told.update(dataset(**values))
    return told


def create(port: int, uid: str, told: Dataset, *, aet: str = "CT1") -> Dataset:
    """N-CREATE; its response's command."""
    with Client(port, aet=aet).association([build_context(MPPS)]) as association:
        status: Dataset = association.send_n_create(told, MPPS, uid)[0]
        return status


def change(port: int, uid: str, told: Dataset, *, aet: str = "CT1") -> Dataset:
    """N-SET; its response's command."""
    with Client(port, aet=aet).association([build_context(MPPS)]) as association:
        status: Dataset = association.send_n_set(told, MPPS, uid)[0]
        return status


@contextlib.contextmanager
def served(config: Config) -> Iterator[tuple[Archive, int]]:
    """An archive in this process with its DIMSE port; nobody works in the background."""
    Path(config.data).mkdir(parents=True, exist_ok=True)
    archive = open_archive(config)
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=64) as sock:
        thread = threading.Thread(target=serve, args=(archive, sock, stop))
        thread.start()
        try:
            yield archive, int(sock.getsockname()[1])
        finally:
            stop.set()
            thread.join(20)
            archive.close()
