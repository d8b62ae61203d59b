"""What is accepted, against pynetdicom's negotiation and the lists of the standard."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import AllTransferSyntaxes
from pynetdicom import AllStoragePresentationContexts
from pynetdicom.presentation import PresentationContext, negotiate_as_acceptor

from dimse import contexts
from dimse.associate import AssociateRequest, Proposed, Role
from pacs.dicom import uids

CT = "1.2.840.10008.5.1.4.1.1.2"
JPEG = "1.2.840.10008.1.2.4.50"
STUDY_GET = "1.2.840.10008.5.1.4.1.2.2.3"
PRIVATE = "1.2.826.0.1.3680043.10.9"
MPPS_NEWS = "1.2.840.10008.3.1.2.3.5"
PRINT = "1.2.840.10008.5.1.1.9"

CLASSES = st.sampled_from((contexts.VERIFICATION, CT, STUDY_GET, MPPS_NEWS, "1.2.840.10008.5.1.4.1.1.4"))
SYNTAXES = st.sampled_from((uids.IMPLICIT_LE, uids.EXPLICIT_LE, uids.EXPLICIT_BE, JPEG, "1.2.3.4"))
PROPOSED = st.lists(
    st.tuples(CLASSES, st.lists(SYNTAXES, min_size=1, max_size=5, unique=True)), min_size=1, max_size=8
).map(lambda pairs: tuple(Proposed(2 * i + 1, a, tuple(t)) for i, (a, t) in enumerate(pairs)))
ROLES = st.dictionaries(CLASSES, st.sampled_from(((True, False), (True, True), (False, True))), max_size=3)


def asked(*proposed: Proposed, roles: tuple[Role, ...] = ()) -> AssociateRequest:
    return AssociateRequest("HILUM", "X", proposed, 0, roles)


def answer(abstract: str, *syntaxes: str, unknown: bool = False) -> tuple[int, str]:
    agreed = contexts.negotiate(asked(Proposed(1, abstract, syntaxes)), unknown_sop_classes=unknown)
    return agreed.answers[0].result, agreed.answers[0].transfer_syntax


def theirs(proposed: Proposed, roles: dict[str, tuple[bool, bool]]) -> tuple[int, bool]:
    """Result and whether the requestor may be SCP, as pynetdicom decides with our lists."""
    request = PresentationContext()
    request.context_id, request.abstract_syntax = proposed.id, proposed.abstract_syntax
    request.transfer_syntax = list(proposed.transfer_syntaxes)
    ours: list[Any] = []
    if contexts.is_supported(proposed.abstract_syntax, unknown_sop_classes=False):
        storing = contexts.is_storage(proposed.abstract_syntax)
        context = PresentationContext()
        context.abstract_syntax = proposed.abstract_syntax
        known = contexts.TRANSFER_SYNTAXES if storing else contexts.QUERY_SYNTAXES
        context.transfer_syntax = sorted(known)
        context.scu_role, context.scp_role = True, storing
        ours = [context]
    (result,), _ = negotiate_as_acceptor([request], ours, dict(roles))
    return result.result, bool(result.as_scu)


@given(PROPOSED, ROLES)
@pytest.mark.filterwarnings("ignore")
def test_the_same_outcome_as_pynetdicom(
    proposed: tuple[Proposed, ...], roles: dict[str, tuple[bool, bool]]
) -> None:
    storage_roles = {c: r for c, r in roles.items() if contexts.is_storage(c)}
    request = asked(*proposed, roles=tuple(Role(c, *r) for c, r in storage_roles.items()))
    agreed = contexts.negotiate(request, unknown_sop_classes=False)
    assert [a.id for a in agreed.answers] == [p.id for p in proposed]
    for one, reply in zip(proposed, agreed.answers, strict=True):
        result, requestor_scp = theirs(one, storage_roles)
        assert reply.result == result
        assert (reply.id in agreed.accepted) == (result == 0)
        if result == 0:
            assert agreed.accepted[reply.id].requestor_scp == requestor_scp
            assert reply.transfer_syntax in one.transfer_syntaxes


def test_every_storage_class_in_every_syntax() -> None:
    for context in AllStoragePresentationContexts:
        assert answer(str(context.abstract_syntax), JPEG) == (0, JPEG)
    for syntax in map(str, AllTransferSyntaxes):
        is_encoding = not syntax.startswith(("1.2.840.10008.1.2.6.", "1.2.840.10008.1.2.7."))
        assert (answer(CT, syntax) == (0, syntax)) == is_encoding


@pytest.mark.parametrize(
    "uid", ["1.2.840.10008.5.1.4.1.1.3", "1.2.840.10008.5.1.4.1.1.5", "1.2.840.10008.5.1.4.1.1.6"]
)
def test_retired_storage_classes_of_old_archives(uid: str) -> None:
    assert answer(uid, uids.IMPLICIT_LE) == (0, uids.IMPLICIT_LE)


@pytest.mark.parametrize(
    "uid", [MPPS_NEWS, PRINT, "1.2.840.10008.1.3.10", "1.2.840.10008.5.1.4.38.1", PRIVATE]
)
def test_what_is_no_storage_class_is_refused(uid: str) -> None:
    assert answer(uid, uids.IMPLICIT_LE)[0] == 3


@pytest.mark.parametrize(
    ("uid", "result"), [(PRIVATE, 0), (MPPS_NEWS, 3), (PRINT, 3), ("no uid", 3), ("", 3)]
)
def test_unknown_classes_by_option(uid: str, result: int) -> None:
    assert answer(uid, uids.IMPLICIT_LE, unknown=True)[0] == result


@pytest.mark.parametrize(
    ("proposed", "chosen"),
    [
        ((uids.IMPLICIT_LE, uids.EXPLICIT_LE), uids.EXPLICIT_LE),
        ((uids.EXPLICIT_BE, uids.IMPLICIT_LE, uids.EXPLICIT_LE), uids.EXPLICIT_LE),
        ((uids.EXPLICIT_BE, uids.IMPLICIT_LE), uids.EXPLICIT_BE),
        ((JPEG, uids.EXPLICIT_LE), JPEG),
        ((uids.EXPLICIT_LE, JPEG), uids.EXPLICIT_LE),
        ((uids.IMPLICIT_LE, JPEG), uids.IMPLICIT_LE),
        (("1.2.3.4", uids.DEFLATED_LE), uids.DEFLATED_LE),
    ],
)
def test_preference(proposed: tuple[str, ...], chosen: str) -> None:
    assert answer(CT, *proposed) == (0, chosen)


def test_unknown_transfer_syntaxes() -> None:
    assert answer(CT, "1.2.3.4")[0] == 4
    assert answer(STUDY_GET, JPEG)[0] == 4
    assert answer(CT)[0] == 4


def test_roles_are_granted_for_storage_only() -> None:
    roles = (
        Role(CT, scu=False, scp=True),
        Role(STUDY_GET, scu=True, scp=True),
        Role(MPPS_NEWS, scu=True, scp=True),
    )
    proposed = (Proposed(1, STUDY_GET, (uids.IMPLICIT_LE,)), Proposed(3, CT, (uids.IMPLICIT_LE,)))
    agreed = contexts.negotiate(asked(*proposed, roles=roles), unknown_sop_classes=False)
    assert agreed.roles == (Role(CT, scu=False, scp=True), Role(STUDY_GET, scu=True, scp=False))
    assert agreed.accepted[3].requestor_scp
    assert not agreed.accepted[1].requestor_scp


VIDEO = "1.2.840.10008.5.1.4.1.1.77.1.1.1"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
MPEG_4 = "1.2.840.10008.1.2.4.102"
JPEG_LS = "1.2.840.10008.1.2.4.80"


@pytest.mark.parametrize(
    ("sop_class", "proposed", "chosen"),
    [
        (CT, (JPEG, JPEG_LS, uids.EXPLICIT_LE), JPEG_LS),
        (CT, (JPEG, uids.IMPLICIT_LE, uids.EXPLICIT_LE), uids.EXPLICIT_LE),
        (CT, (JPEG,), JPEG),
        (SEGMENTATION, (JPEG_LS, uids.EXPLICIT_LE), uids.EXPLICIT_LE),
        (SEGMENTATION, (JPEG_LS,), JPEG_LS),
        (VIDEO, (MPEG_4, uids.EXPLICIT_LE), MPEG_4),
    ],
)
def test_what_is_to_be_given_is_agreed_on_so_that_it_can_be(
    sop_class: str, proposed: tuple[str, ...], chosen: str
) -> None:
    writable = frozenset({JPEG_LS, uids.EXPLICIT_LE, uids.IMPLICIT_LE})
    asking = asked(Proposed(1, sop_class, proposed), roles=(Role(sop_class, scu=False, scp=True),))
    agreed = contexts.negotiate(asking, unknown_sop_classes=False, writable=writable)
    assert agreed.answers[0].transfer_syntax == chosen
    sending = contexts.negotiate(
        asked(Proposed(1, sop_class, proposed)), unknown_sop_classes=False, writable=writable
    )
    assert sending.answers[0].transfer_syntax == proposed[0] or proposed[0] == uids.IMPLICIT_LE
