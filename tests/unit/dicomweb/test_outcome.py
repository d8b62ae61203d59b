"""The store response says of every part what became of it."""

from dicomweb import outcome
from dicomweb.outcome import Outcome
from dicomweb.urls import Outside
from pacs.dicom.uids import InstanceKey
from pacs.ingest.examine import RULES
from pacs.ingest.receipt import Duplicate, Refused, Stored, Superseded

OUTSIDE = Outside("http://a", "")
KEY = InstanceKey("1.2", "1.3", "1.4")
GOOD = [Outcome.of(kind(KEY, "1.1", "d")) for kind in (Stored, Duplicate, Superseded)]
BAD = Outcome.of(Refused("not-dicom", "no Part 10 file"))


def test_every_rule_has_a_failure_reason() -> None:
    assert set(outcome.FAILURE_REASONS) == set(RULES)


def test_status_and_sequences() -> None:
    for outcomes, status, tags in (
        (GOOD, 200, {"00081190", "00081199"}),
        ([*GOOD, BAD], 202, {"00081190", "00081198", "00081199"}),
        ([BAD, BAD], 409, {"00081198"}),
    ):
        assert outcome.status_of(outcomes) == status
        assert set(outcome.report(outcomes, OUTSIDE)) == tags


def test_items() -> None:
    body = outcome.report([GOOD[0], Outcome.of(Refused("expected-study", "x", "1.1", "1.5"))], OUTSIDE)
    assert body["00081199"]["Value"] == [
        {
            "00081150": {"vr": "UI", "Value": ["1.1"]},
            "00081155": {"vr": "UI", "Value": ["1.4"]},
            "00081190": {
                "vr": "UR",
                "Value": ["http://a/dicom-web/studies/1.2/series/1.3/instances/1.4"],
            },
        }
    ]
    assert body["00081198"]["Value"][0]["00081197"] == {"vr": "US", "Value": [43265]}


def test_what_could_not_be_read_has_no_uids() -> None:
    (item,) = outcome.report([BAD], OUTSIDE)["00081198"]["Value"]
    assert item["00081155"] == {"vr": "UI"}
    assert item["00081197"]["Value"] == [0xC000]


def test_reasons_are_said_once_and_not_without_end() -> None:
    assert outcome.warnings_of([BAD, BAD, *GOOD]) == ("no Part 10 file",)
    many = [Outcome("", "", failure=1, reason=str(n)) for n in range(99)]
    assert len(outcome.warnings_of(many)) == 5


def test_an_unknown_rule_is_a_processing_failure() -> None:
    assert Outcome.of(Refused("newly-made", "x")).failure == outcome.PROCESSING_FAILURE
