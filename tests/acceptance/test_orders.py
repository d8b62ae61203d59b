"""From the order to the reading list, over every wire: POST, worklist, MPPS, C-STORE, settled at once."""

import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydicom.uid import generate_uid

from tests.support import worklist
from tests.support.archive_server import CLUSTER, LAPTOP, REPOSITORY, ArchiveServer, Deployment
from tests.support.dimse_client import Client, wait_for
from tests.support.factory import Patient, ct_series
from tests.support.worklist import begun, change, create, ended, find, keys

# Quiet would take an hour: whatever settles here settles because a modality said so.
CONFIG = "[reading]\nquiet_seconds = 3600\n[orders]\ndrop_when = 'in-progress'\n"


def get(server: ArchiveServer, path: str) -> Any:
    answer = httpx.get(f"{server.url}{path}", timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.peer("dcmtk")
@pytest.mark.parametrize("deployment", [LAPTOP, CLUSTER], ids=str)
def test_ordered_scanned_and_listed(deployment: Deployment, deploy: Callable[..., ArchiveServer]) -> None:
    server = deploy(deployment, config=CONFIG)
    order = json.loads((REPOSITORY / "examples" / "order.json").read_text())
    placed = httpx.post(f"{server.url}/api/orders", json=order, timeout=30).json()
    study, step = placed["study_uid"], placed["steps"][0]["id"]

    done = subprocess.run(
        ["findscu", "-W", "-aet", "CT1", "-aec", "HILUM", "127.0.0.1", str(server.dimse_port),
         "-k", "StudyInstanceUID",
         "-k", "ScheduledProcedureStepSequence[0].ScheduledStationAETitle=CT1",
         "-k", "ScheduledProcedureStepSequence[0].ScheduledProcedureStepID"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert study in done.stdout + done.stderr
    assert step in done.stdout + done.stderr

    told = begun(patient="P-1001")
    (scheduled,) = told.ScheduledStepAttributesSequence
    scheduled.StudyInstanceUID, scheduled.ScheduledProcedureStepID = study, step
    uid = generate_uid()
    assert create(server.dimse_port, uid, told).Status == 0
    assert find(server.dimse_port, keys(PatientID=""))[1] == [], "what is in progress has dropped off"

    objects = ct_series(4, rows=16, columns=16, study=study, patient=Patient(id="P-1001"))
    assert set(Client(server.dimse_port).store(objects[:2]).values()) == {0}
    assert change(server.dimse_port, uid, ended(objects)).Status == 0
    time.sleep(1.5)
    assert get(server, "/api/worklist")["items"] == [], "half of it has not come"
    assert set(Client(server.dimse_port).store(objects[2:]).values()) == {0}
    wait_for(lambda: [one["study"] for one in get(server, "/api/worklist")["items"]] == [study], 30)

    shown = get(server, f"/api/orders/{placed['number']}")
    assert (shown["state"], shown["steps"][0]["status"]) == ("ended", "COMPLETED")
    assert [(one["uid"], one["status"]) for one in shown["performed"]] == [(uid, "COMPLETED")]
    rows = [json.loads(line) for line in server.pacs("audit", "--json", "--study", study).stdout.splitlines()]
    assert {"order", "perform", "store"} <= {row["action"] for row in rows}
    assert "Yamada" not in server.log_path.read_text()


def test_what_was_told_survives_kill_9(deploy: Callable[..., ArchiveServer]) -> None:
    """Each answer is durable: everything is killed right after it."""
    server = deploy(LAPTOP, config=CONFIG)
    placed = httpx.post(f"{server.url}/api/orders", json=worklist.order(), timeout=30).json()
    server.kill9()
    server.restart()
    study, step = placed["study_uid"], placed["steps"][0]["id"]
    objects = ct_series(2, rows=16, columns=16, study=study, patient=Patient(id="P1"))
    told = begun(study=study)
    told.ScheduledStepAttributesSequence[0].ScheduledProcedureStepID = step
    assert create(server.dimse_port, "1.2.3", told).Status == 0
    server.kill9()
    server.restart()
    assert set(Client(server.dimse_port).store(objects).values()) == {0}
    assert change(server.dimse_port, "1.2.3", ended(objects)).Status == 0
    server.kill9()
    server.restart()
    assert get(server, f"/api/orders/{placed['number']}")["steps"][0]["status"] == "COMPLETED"
    wait_for(lambda: [one["study"] for one in get(server, "/api/worklist")["items"]] == [study], 30)
