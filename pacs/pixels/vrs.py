"""Value representations that a data set in Implicit VR leaves open (PS3.5 A.1, PS3.6 6)."""

LONG = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
"""Those with a length of 32 bits (PS3.5 7.1.2)."""
SHORT = frozenset(
    {"AE", "AS", "AT", "CS", "DA", "DS", "DT", "FL", "FD", "IS", "LO", "LT", "PN", "SH", "SL", "SS"}
    | {"ST", "TM", "UI", "UL", "US"}
)
_LONGEST_SHORT = 0xFFFE

# US or SS, told by Pixel Representation.
_SIGNED = frozenset(
    {0x00189810, 0x00221452, 0x00280071, 0x00280104, 0x00280105, 0x00280106, 0x00280107, 0x00280108}
    | {0x00280109, 0x00280110, 0x00280111, 0x00280120, 0x00280121, 0x00281100, 0x00281101, 0x00281102}
    | {0x00281103, 0x00281111, 0x00281112, 0x00281113, 0x00283002, 0x00409211, 0x00409216, 0x00603004}
    | {0x00603006}
)
# OB or OW, US or OW: what is OW in Implicit VR Little Endian stays OW (PS3.5 A.1).
_WORDS_ANYWAY = frozenset(
    {0x00143050, 0x00143070, 0x00281200, 0x00283006, 0x54000110, 0x54000112, 0x5400100A, 0x54001010}
    | {0x7FE00010}
)
_REPEATING = frozenset({(0x50, 0x200C), (0x50, 0x3000), (0x60, 0x3000), (0x7F, 0x0010)})


def explicit(tag: int, vr: str, length: int, *, signed: bool) -> str:
    """VR to write for an element of an Implicit VR data set that a dictionary calls `vr`.

    UN is right for every value whose VR is not known or whose length its VR cannot tell
    (PS3.5 6.2.2)."""
    if tag in _SIGNED:
        vr = "SS" if signed else "US"
    elif tag in _WORDS_ANYWAY or (tag >> 24, tag & 0xFFFF) in _REPEATING:
        vr = "OW"
    if vr in LONG:
        return vr
    return vr if vr in SHORT and length <= _LONGEST_SHORT else "UN"
