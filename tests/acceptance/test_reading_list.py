"""The reading list over real wires: a study is listed when it has settled, and one reader gets it."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from pacs.auth import tokens
from tests.support.archive_server import CLUSTER, GROWN, LAPTOP, ArchiveServer, Deployment
from tests.support.dimse_client import Client
from tests.support.factory import ct_series
from tests.support.web_client import Web

QUIET = 1.0
CONFIG = f"[reading]\nquiet_seconds = {QUIET}\n"


def listed(server: ArchiveServer) -> list[dict[str, Any]]:
    answer = httpx.get(f"{server.url}/api/worklist")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def wait_until(condition: Callable[[], bool], seconds: float) -> float:
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds, "it did not happen in time"
        time.sleep(0.05)
    return time.monotonic() - begin


@pytest.mark.parametrize("deployment", [LAPTOP, CLUSTER, GROWN], ids=str)
def test_settled_listed_claimed_and_read(
    deployment: Deployment, deploy: Callable[..., ArchiveServer]
) -> None:
    server = deploy(deployment, config=CONFIG)
    one, two = ct_series(3, rows=16, columns=16), ct_series(2, rows=16, columns=16)
    assert set(Client(server.dimse_port).store(one).values()) == {0}
    assert Web(server.root).store(two).status == 200
    wait_until(lambda: len(listed(server)) == 2, QUIET + 10)
    assert {item["study"] for item in listed(server)} == {one[0].study, two[0].study}
    assert {item["state"] for item in listed(server)} == {"waiting"}

    at = f"{server.url}/api/worklist/{one[0].study}"
    assert httpx.post(f"{at}/request/STAT").status_code == 200
    assert [item["study"] for item in listed(server)] == [one[0].study, two[0].study]
    assert httpx.post(f"{at}/request/SOON").status_code == 400

    assert httpx.post(f"{at}/claim").json()["state"] == "claimed"
    assert httpx.post(f"{at}/finish").json()["state"] == "done"
    assert [item["study"] for item in listed(server)] == [two[0].study]
    done = httpx.get(f"{server.url}/api/worklist", params={"done": "1"}).json()["items"]
    assert [item["study"] for item in done] == [one[0].study]
    assert httpx.get(f"{server.url}/api/worklist/1.2.3").status_code == 404
    asked = {"studies": f"{two[0].study},1.2.3,{one[0].study}"}
    some = httpx.get(f"{server.url}/api/worklist", params=asked).json()["items"]
    assert {item["study"]: item["state"] for item in some} == {one[0].study: "done", two[0].study: "waiting"}
    assert httpx.get(f"{server.url}/api/worklist?studies=x").status_code == 400
    assert httpx.get(f"{server.url}/api/me").json()["name"] == "anyone"

    more = ct_series(1, rows=16, columns=16, study=one[0].study)
    assert Web(server.root).store(more).status == 200
    wait_until(lambda: len(listed(server)) == 2, QUIET + 10)


def test_changes_are_told_as_they_happen(deploy: Callable[..., ArchiveServer]) -> None:
    server = deploy(LAPTOP, config=CONFIG)
    (item,) = ct_series(1, rows=16, columns=16)
    seen: list[dict[str, Any]] = []
    with httpx.stream("GET", f"{server.url}/api/worklist/events", timeout=30) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert Web(server.root).store([item]).status == 200
        for line in stream.iter_lines():
            if line.startswith("data: "):
                seen.append(json.loads(line[6:]))
                if len(seen) == 1:
                    httpx.post(f"{server.url}/api/worklist/{item.study}/claim")
                if seen[-1]["state"] == "claimed":
                    break
    assert [one["state"] for one in seen][-1] == "claimed"
    assert all(one["study"] == item.study for one in seen)


def test_one_of_many_claimers_wins(deploy: Callable[..., ArchiveServer]) -> None:
    """Claimers are told apart by their tokens; the same reader may claim again."""
    shown = [tokens.create() for _ in range(8)]
    config = CONFIG + "".join(
        f'[[auth.tokens]]\nname = "reader{number}"\nhash = "{digest}"\nroles = ["viewer", "sender"]\n'
        for number, (_, digest) in enumerate(shown)
    )
    headers = [{"Authorization": f"Bearer {token}"} for token, _ in shown]
    probe = '[dimse.peers.PROBE]\nhost = "127.0.0.1"\n'
    server = deploy(CLUSTER, config=config, dimse_settings=probe, probe_headers=headers[0])
    (item,) = ct_series(1, rows=16, columns=16)
    at = f"{server.url}/api/worklist/{item.study}"
    assert Web(server.root, headers=headers[0]).store([item]).status == 200
    wait_until(lambda: httpx.get(at, headers=headers[0]).status_code == 200, QUIET + 10)
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda who: httpx.post(f"{at}/claim", headers=who).status_code, headers))
    assert sorted(codes) == [200] + [409] * 7
