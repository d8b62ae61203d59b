"""Every outcome of the core has a status of the right kind."""

import pytest

from dimse import status
from dimse.command import Operation
from dimse.status import Status
from pacs import errors
from pacs.dicom.uids import InstanceKey
from pacs.ingest.examine import RULES
from pacs.ingest.receipt import Duplicate, Refused, Stored, Superseded

KEY = InstanceKey("1.2", "1.3", "1.4")


@pytest.mark.parametrize("kind", [Stored, Duplicate, Superseded])
def test_kept_is_success(kind: type[Stored | Duplicate | Superseded]) -> None:
    assert status.of_receipt(kind(KEY, "1.5", "digest")).code == 0


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_of_ingest_has_a_status_of_its_own(rule: str) -> None:
    """PS3.4 Table B.2-1: A9xx does not match, Cxxx cannot understand."""
    code = status.of_receipt(Refused(rule, "reason")).code
    assert code >> 8 == (0xA9 if rule.startswith("expected-") else 0xC0)
    assert rule in status._REFUSED
    assert list(status._REFUSED.values()).count(code) == 1


def test_an_unheard_of_rule_is_not_a_success() -> None:
    assert status.of_receipt(Refused("new", "reason")).code == 0xC000


KINDS = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.PacsError)
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("operation", Operation)
def test_every_error_has_a_failure_status(kind: type[errors.PacsError], operation: Operation) -> None:
    found = status.of_error(operation, kind("sorry"))
    assert not found.is_success
    assert not found.is_pending
    assert not found.is_warning
    assert found.code != 0xFE00


@pytest.mark.parametrize(
    ("operation", "error", "code"),
    [
        (Operation.C_STORE, errors.Unavailable("full"), 0xA700),
        (Operation.C_FIND, errors.Unavailable("away"), 0xA700),
        (Operation.C_MOVE, errors.Unavailable("away"), 0xA701),
        (Operation.C_ECHO, errors.Forbidden("no"), 0x0124),
        (Operation.C_FIND, errors.Invalid("bad date"), 0xC100),
    ],
)
def test_codes(operation: Operation, error: errors.PacsError, code: int) -> None:
    assert status.of_error(operation, error).code == code


def test_comments_are_values_of_lo() -> None:
    assert status.comment(Status(0xC000, "a\\b\r\nö" + "x" * 100)) == "a b   " + "x" * 58
    assert len(status.comment(Status(0xC000, "y" * 65))) == 64


@pytest.mark.parametrize("code", [0xB000, 0xB007, 0xB006, 0x0107])
def test_warnings(code: int) -> None:
    assert Status(code).is_warning
