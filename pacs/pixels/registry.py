"""Which codec serves which transfer syntax, in order of preference."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pacs.dicom import uids
from pacs.errors import NotAcceptable
from pacs.pixels import syntaxes
from pacs.pixels.codec import Codec, available, version
from pacs.pixels.codecs.charls import CharLS
from pacs.pixels.codecs.libjpeg import LibjpegTurbo
from pacs.pixels.codecs.liblj92 import LibLJ92
from pacs.pixels.codecs.openjpeg import OpenJPEG, PylibjpegOpenJPEG
from pacs.pixels.codecs.openjph import OpenJPH
from pacs.pixels.codecs.rle import ImagecodecsRLE, PylibjpegRLE

CODECS: Final[tuple[Codec, ...]] = (
    OpenJPH(),
    OpenJPEG(),
    PylibjpegOpenJPEG(),
    CharLS(),
    LibjpegTurbo(),
    LibLJ92(),
    PylibjpegRLE(),
    ImagecodecsRLE(),
)
"""The first that can is asked first."""

SYNTAXES: Final = tuple(uid for uid in syntaxes.NAMES if uid not in syntaxes.NATIVE)


@dataclass(frozen=True, slots=True)
class CodecLine:
    """One codec for one transfer syntax. `proves` tells that it is the independent second decoder
    there; `missing` names the packages it waits for."""

    name: str
    transfer_syntax: str
    decode: bool
    encode: bool
    proves: bool
    library: str
    version: str
    missing: tuple[str, ...]


def codecs() -> Iterator[CodecLine]:
    """By transfer syntax, in order of preference."""
    for uid in SYNTAXES:
        second = _second(uid)
        for codec in CODECS:
            if uid in codec.decodes | codec.encodes:
                yield CodecLine(
                    name=codec.engine,
                    transfer_syntax=uid,
                    decode=uid in codec.decodes,
                    encode=uid in codec.encodes,
                    proves=codec is second,
                    library=codec.package,
                    version=version(codec),
                    missing=codec.missing(),
                )


def decodable() -> frozenset[str]:
    """Transfer syntaxes whose frames can be read as samples here and now."""
    return syntaxes.NATIVE | {uid for codec in CODECS if available(codec) for uid in codec.decodes}


def encodable() -> frozenset[str]:
    """Transfer syntaxes that frames can be written in here and now."""
    return syntaxes.NATIVE - {uids.EXPLICIT_BE} | {
        uid for codec in CODECS if available(codec) for uid in codec.encodes
    }


def decoders(uid: str) -> tuple[Codec, ...]:
    """Every installed one, the preferred first. Raises NotAcceptable when there is none."""
    return _those(uid, tuple(codec for codec in CODECS if uid in codec.decodes), "decoded")


def encoder(uid: str) -> Codec:
    """Raises NotAcceptable when there is none."""
    return _those(uid, tuple(codec for codec in CODECS if uid in codec.encodes), "encoded")[0]


def second_decoder(uid: str) -> Codec | None:
    """The decoder whose engine is another than the preferred one's; None where there is none."""
    second = _second(uid)
    return second if second is not None and available(second) else None


def _second(uid: str) -> Codec | None:
    able = [codec for codec in CODECS if uid in codec.decodes]
    return next((codec for codec in able if codec.engine != able[0].engine), None)


def _those(uid: str, able: tuple[Codec, ...], deed: str) -> tuple[Codec, ...]:
    ready = tuple(codec for codec in able if available(codec))
    if ready:
        return ready
    lacking = sorted({name for codec in able for name in codec.missing()})
    hint = f"install {', '.join(lacking)}" if lacking else ""
    raise NotAcceptable(f"{syntaxes.NAMES.get(uid, uid)} cannot be {deed} here", hint=hint)
