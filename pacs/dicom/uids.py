"""Unique identifiers: their form (PS3.5 9.1) and the few that the archive must know by name."""

import re
from dataclasses import dataclass

IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
DEFLATED_LE = "1.2.840.10008.1.2.1.99"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
RLE = "1.2.840.10008.1.2.5"

IMPLEMENTATION_CLASS = "2.25.270123958460382910297483920182734650981"
IMPLEMENTATION_VERSION = "HILUM_0_1"
RECEIVED_FORM = "2.25.280793292980188717230936215847317444501"
"""Private Information Creator of a file that is kept in another form than it was received in."""

_FORM = re.compile(r"[0-9]+(\.[0-9]+)*")


@dataclass(frozen=True, slots=True)
class InstanceKey:
    """Where an instance stands: the three UIDs of PS3.4 C.6."""

    study: str
    series: str
    instance: str


def is_valid(uid: str) -> bool:
    """Digits and dots, 1 to 64 characters.

    A leading zero in a component breaks PS3.5 9.1 but does occur in old archives; such UIDs
    are kept. Anything else (letters, slashes, empty components) is not a UID.
    """
    return 0 < len(uid) <= 64 and _FORM.fullmatch(uid) is not None


_STORAGE = "1.2.840.10008.5.1.4.1.1."
# Objects about the pictures of a study, PS3.4 B.5: reports and key object selections, presentation
# states, registrations and segmentations. They are not more to be read.
_REMARKS = tuple(f"{_STORAGE}{family}." for family in ("88", "11", "66"))
# What may come of reading pictures beside those: secondary captures, parametric maps, documents,
# structure sets and surfaces.
_RESULTS = (*_REMARKS, *(f"{_STORAGE}{family}" for family in ("7.", "30", "68.", "104.")))
_SINGLE_RESULTS = {f"{_STORAGE}7", f"{_STORAGE}481.3"}


def is_remark(sop_class: str) -> bool:
    """Whether objects of the class say something about pictures rather than being some."""
    return sop_class.startswith(_REMARKS)


def is_result(sop_class: str) -> bool:
    """Whether objects of the class can be what a reader, human or not, makes of a study."""
    return sop_class.startswith(_RESULTS) or sop_class in _SINGLE_RESULTS


def is_native(transfer_syntax: str) -> bool:
    """Whether pixel data is stored frame after frame without encapsulation (PS3.5 A.1-A.3)."""
    return transfer_syntax in {IMPLICIT_LE, EXPLICIT_LE, DEFLATED_LE, EXPLICIT_BE}
