"""The directory of a file-set (PS3.10 8.6, PS3.3 F): one patient, one study, its series and instances.

Records are written to a nameless file as the instances go out, in the order in which these come: the
instances of a series together. Pointers to what is not known yet are filled in when it is.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final

import orjson

from pacs.dicom import encode, from_json, header, uids
from pacs.dicom.attributes import tag_of, vr_of
from pacs.dicom.described import DataSet, Described, Malformed
from pacs.dicom.json import BULK_BASE
from pacs.retrieve.records import RECORDS, REPORTS, Key, of_report, type_of
from pacs.store.spool import translated

NAME: Final = "DICOMDIR"
_CLASS: Final = "1.2.840.10008.1.3.10"
_PIECE: Final = 1 << 16
_NEXT_AT, _LOWER_AT = 16, 38  # from the beginning of a record
_INVENTED: Final = {"DA": "19000101", "TM": "000000", "DT": "19000101000000"}
_UTF8: Final = Described("CS", ["ISO_IR 192"])


class Directory:
    """Of instances of one study. Not for several threads at once. Raises Unavailable for want of room."""

    def __init__(self, scratch: Path, uid: str) -> None:
        with translated():
            self._file: IO[bytes] = TemporaryFile(dir=scratch)  # noqa: SIM115 - closed by close()
        prefix = header.part10_prefix(sop_class=_CLASS, sop_instance=uid, transfer_syntax=uids.EXPLICIT_LE)
        begin = len(prefix) + 8 + 12 + 12 + 10 + 12
        for piece in (
            prefix,
            encode.head(0x00041130, "CS", 0),
            _long(0x00041200, begin),
            _long(0x00041202, begin),
            _short(0x00041212, 0),
            encode.head(0x00041220, "SQ", encode.UNDEFINED),
        ):
            self._file.write(piece)
        self._study = 0
        self._series = self._instance = 0  # where the latest record of each begins, or 0
        self._uid = ""
        self._counted = (0, 0)

    def place(self, series: str) -> tuple[str, ...]:
        """The File ID of the next instance, which is in this series (PS3.10 8.2, 8.5)."""
        number, count = self._counted
        here = (number, count + 1) if series == self._uid else (number + 1, 1)
        return ("DICOM", f"SE{here[0]:06d}", f"IM{here[1]:06d}")

    def add(self, series: str, document: bytes, sop_class: str, transfer_syntax: str) -> None:
        """The instance that lies where `place` said. What no directory knows of is not in it (F.5)."""
        found: dict[str, Any] = orjson.loads(document.replace(BULK_BASE, b""))
        place = self.place(series)
        fresh = series != self._uid
        self._uid = series
        self._counted = (int(place[1][2:]), int(place[2][2:]))
        kind = type_of(sop_class, found)
        if not kind:
            return
        if kind in REPORTS:
            found |= of_report(found)
        if not self._study:
            self._record("PATIENT", _keys("PATIENT", found, 1))
            self._study = self._lower(self._begun, "STUDY", _keys("STUDY", found, 1))
        if fresh or not self._instance:
            series_keys = _keys("SERIES", found, self._counted[0])
            self._series = (
                self._next(self._series, "SERIES", series_keys)
                if self._series
                else self._lower(self._study, "SERIES", series_keys)
            )
            self._instance = 0
        reference: DataSet = {
            0x00041500: Described("CS", list(place)),
            0x00041510: Described("UI", [sop_class]),
            0x00041511: Described("UI", [_text(found, "SOPInstanceUID")]),
            0x00041512: Described("UI", [transfer_syntax]),
        }
        keys = reference | _keys(kind, found, self._counted[1])
        if self._instance:
            self._instance = self._next(self._instance, kind, keys)
        else:
            self._instance = self._lower(self._series, kind, keys)

    def chunks(self) -> Iterator[bytes]:
        """The whole file. Nothing can be added any more."""
        self._file.write(encode.SEQUENCE_END)
        self._file.seek(0)
        while piece := self._file.read(_PIECE):
            yield piece

    def close(self) -> None:
        self._file.close()

    def _next(self, before: int, kind: str, keys: DataSet) -> int:
        return self._linked(before + _NEXT_AT, kind, keys)

    def _lower(self, above: int, kind: str, keys: DataSet) -> int:
        return self._linked(above + _LOWER_AT, kind, keys)

    def _linked(self, pointer: int, kind: str, keys: DataSet) -> int:
        self._record(kind, keys)
        self._file.seek(pointer)
        self._file.write(struct.pack("<I", self._begun))
        self._file.seek(0, 2)
        return self._begun

    def _record(self, kind: str, keys: DataSet) -> None:
        self._begun = self._file.tell()
        text = b"".join(encode.any_element(tag, keys[tag]) for tag in sorted(keys))
        value = kind.encode() + b" " * (len(kind) % 2)
        self._file.write(
            b"".join(
                (
                    encode.ITEM,
                    _long(0x00041400, 0),
                    _short(0x00041410, 0xFFFF),
                    _long(0x00041420, 0),
                    encode.head(0x00041430, "CS", len(value)) + value,
                    text,
                    encode.ITEM_END,
                )
            )
        )


def _keys(kind: str, found: dict[str, Any], ordinal: int) -> DataSet:
    keys = {tag_of(key.keyword): _key(key, found, ordinal) for key in RECORDS[kind]}
    made = {tag: element for tag, element in keys.items() if element is not None}
    if not all(encode.any_element(tag, element).isascii() for tag, element in made.items()):
        made[tag_of("SpecificCharacterSet")] = _UTF8
    return made


def _key(key: Key, found: dict[str, Any], ordinal: int) -> Described | None:
    """As the object has it. What has to have a value and has none is given one (F.5)."""
    tag = tag_of(key.keyword)
    try:
        element = from_json.element(tag, found.get(f"{tag:08X}", {"vr": vr_of(tag)}), 0)
        encode.any_element(tag, element)
    except Malformed:
        element = Described(vr_of(tag))
    if element.values or element.items:
        return element
    if element.vr == "SQ" or key.or_none:
        return None
    if not key.has_value:
        return Described(element.vr)
    if element.vr == "IS":
        return Described("IS", [str(ordinal)])
    return Described(element.vr, [key.default or _INVENTED.get(element.vr, "UNKNOWN")])


def _text(found: dict[str, Any], keyword: str) -> str:
    values = found.get(f"{tag_of(keyword):08X}", {}).get("Value") or [""]
    return str(values[0] or "")


def _long(tag: int, value: int) -> bytes:
    return encode.head(tag, "UL", 4) + struct.pack("<I", value)


def _short(tag: int, value: int) -> bytes:
    return encode.head(tag, "US", 2) + struct.pack("<H", value)
