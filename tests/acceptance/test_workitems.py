"""Workitems on a grown archive: any process takes a request, whoever listens at another hears of it."""

from collections.abc import Callable

import httpx

from tests.support.archive_server import CLUSTER, ArchiveServer
from tests.support.factory import ct_series
from tests.support.reading_room import SETTLED
from tests.support.web_client import Web
from tests.support.workitems import EVERY, Worklist, performed, value


def test_a_study_is_read_by_its_workitem(deploy: Callable[..., ArchiveServer]) -> None:
    server = deploy(CLUSTER, config=SETTLED)
    worklist = Worklist(server.root)
    since = httpx.get(f"{server.url}/api/changes?since=now").json()["next"]
    assert worklist.subscribe(EVERY).status_code == 201
    items = ct_series(2, rows=16, columns=16)
    with worklist.listening() as ear:
        assert Web(server.root).store(items).status == 200
        while (first := ear.hear(60)).type != 1:
            pass  # the archive has started
        uid = first.uid
        assert value(worklist.get(uid), "StudyInstanceUID") == items[0].study

        assert worklist.to(uid, "IN PROGRESS", "2.25.1").status_code == 200
        assert ear.hear().value("ProcedureStepState") == "IN PROGRESS"
        at = f"{server.url}/api/worklist/{items[0].study}"
        assert httpx.get(at).json()["state"] == "claimed"

        assert worklist.send("POST", f"/workitems/{uid}?2.25.1", [performed()]).status_code == 200
        assert worklist.to(uid, "COMPLETED", "2.25.1").status_code == 200
        assert ear.hear().value("ProcedureStepState") == "COMPLETED"
        assert httpx.get(at).json()["state"] == "done"

        for deed in ("reopen", "claim"):  # at the list itself
            assert httpx.post(f"{at}/{deed}").status_code == 200
        assert ear.hear().value("ProcedureStepState") == "SCHEDULED"
        begun = ear.hear()
        assert begun.value("ProcedureStepState") == "IN PROGRESS"
        assert worklist.to(begun.uid, "IN PROGRESS", "2.25.2").status_code == 409

    told = httpx.get(f"{server.url}/api/changes", params={"since": since}).json()["changes"]
    kinds = [change["kind"] for change in told if change.get("study") == items[0].study]
    assert kinds[:3] == ["stored", "stored", "settled"]
    assert kinds.count("workitem") == 5
    assert "claim" not in kinds
    assert "Invalid" not in server.log()
