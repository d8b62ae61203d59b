"""Transfer syntaxes by what their frames are (PS3.5 10, PS3.6 Table A-1)."""

from typing import Final

from pacs.dicom import uids

_JPEG = "1.2.840.10008.1.2.4."

JPEG_BASELINE: Final = _JPEG + "50"
JPEG_EXTENDED: Final = _JPEG + "51"
JPEG_LOSSLESS: Final = _JPEG + "57"
JPEG_LOSSLESS_SV1: Final = _JPEG + "70"
JPEG_LS: Final = _JPEG + "80"
JPEG_LS_NEAR: Final = _JPEG + "81"
JPEG_2000_LOSSLESS: Final = _JPEG + "90"
JPEG_2000: Final = _JPEG + "91"
HTJ2K_LOSSLESS: Final = _JPEG + "201"
HTJ2K_RPCL: Final = _JPEG + "202"
HTJ2K: Final = _JPEG + "203"

NATIVE: Final = frozenset({uids.IMPLICIT_LE, uids.EXPLICIT_LE, uids.DEFLATED_LE, uids.EXPLICIT_BE})
JPEG_DCT: Final = frozenset({JPEG_BASELINE, JPEG_EXTENDED})
JPEG_SOF3: Final = frozenset({JPEG_LOSSLESS, JPEG_LOSSLESS_SV1})
JPEG_LS_FAMILY: Final = frozenset({JPEG_LS, JPEG_LS_NEAR})
JPEG_2000_PART_1: Final = frozenset({JPEG_2000_LOSSLESS, JPEG_2000})
HTJ2K_FAMILY: Final = frozenset({HTJ2K_LOSSLESS, HTJ2K_RPCL, HTJ2K})
JPEG_2000_FAMILY: Final = JPEG_2000_PART_1 | HTJ2K_FAMILY

LOSSY: Final = JPEG_DCT | {JPEG_LS_NEAR}
"""Whatever is in them has been compressed with loss."""
MAYBE_LOSSY: Final = frozenset({JPEG_2000, HTJ2K})
"""May hold either; an irreversible wavelet says loss."""

NAMES: Final[dict[str, str]] = {
    uids.IMPLICIT_LE: "Implicit VR Little Endian",
    uids.EXPLICIT_LE: "Explicit VR Little Endian",
    uids.DEFLATED_LE: "Deflated Explicit VR Little Endian",
    uids.EXPLICIT_BE: "Explicit VR Big Endian",
    uids.RLE: "RLE Lossless",
    JPEG_BASELINE: "JPEG Baseline",
    JPEG_EXTENDED: "JPEG Extended",
    JPEG_LOSSLESS: "JPEG Lossless",
    JPEG_LOSSLESS_SV1: "JPEG Lossless SV1",
    JPEG_LS: "JPEG-LS Lossless",
    JPEG_LS_NEAR: "JPEG-LS Near-lossless",
    JPEG_2000_LOSSLESS: "JPEG 2000 Lossless",
    JPEG_2000: "JPEG 2000",
    HTJ2K_LOSSLESS: "HTJ2K Lossless",
    HTJ2K_RPCL: "HTJ2K Lossless RPCL",
    HTJ2K: "HTJ2K",
}
