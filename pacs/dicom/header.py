"""Part 10 files and data sets as a tree of elements that point into the bytes (PS3.5 7, PS3.10 7).

One forward walk; values are not copied and big ones not touched. The walk works on anything with
the buffer protocol, so that a memory-mapped file of any size costs only its header's pages.
"""

import struct
from dataclasses import dataclass, field

from pacs.dicom import attributes, uids

PREAMBLE = 128
_ELEMENT_HEAD = 8  # bytes that an element has at least
META_LIMIT = 1 << 20  # bytes of preamble and File Meta Information; a few hundred are usual
PIXEL_DATA = 0x7FE00010
_PIXEL_ELEMENTS = frozenset({0x7FE00008, 0x7FE00009, PIXEL_DATA})
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_LONG_VRS = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)
_SHORT_VRS = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL"}
    | {b"SS", b"ST", b"TM", b"UI", b"UL", b"US"}
)
MAX_DEPTH = 64
# Many times what any object needs; without them a file of nothing but headers would fill the memory.
MAX_ELEMENTS = 1 << 16  # of one data set, those of its items apart
MAX_ITEMS = 1 << 20
_ZEROS = bytes(1 << 20)

Buffer = memoryview


class Unreadable(Exception):
    """These bytes are not a DICOM data set. `rule` names what is wrong with them."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule


@dataclass(slots=True)
class Element:
    """One data element. `offset` is where its value begins in the walked bytes.

    `length` is None when undefined and the value is encapsulated pixel data that the walk did
    not enter. `items` holds the items of a sequence, in order."""

    tag: int
    vr: str
    offset: int
    length: int | None
    items: "list[DataSet] | None" = None


@dataclass(slots=True)
class DataSet:
    """Elements by tag, in the order of the bytes. `delimited` is an item of undefined length."""

    elements: dict[int, Element] = field(default_factory=dict)
    end: int = 0
    delimited: bool = False


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What the File Meta Information says (PS3.10 7.1)."""

    transfer_syntax: str
    sop_class: str
    sop_instance: str
    dataset_offset: int


@dataclass(slots=True)
class Walk:
    """A walk may stop at encapsulated pixel data; `resume` goes on behind it. `size` is how many bytes there
    are in all; the pixel data of native files may be outside `buffer`. `items_left` is how many items there
    may still be, for all walkers of it."""

    buffer: Buffer
    size: int
    implicit: bool
    big_endian: bool
    dataset: DataSet
    pixels: Element | None = None
    items_left: list[int] = field(default_factory=lambda: [MAX_ITEMS])


def part10_prefix(
    *, sop_class: str, sop_instance: str, transfer_syntax: str, source_aet: str = "", receiving_aet: str = ""
) -> bytes:
    """Preamble, `DICM` and File Meta Information for a data set that came without (PS3.10 7.1)."""
    body = b"".join(
        (
            _explicit(0x00020001, b"OB", b"\x00\x01"),
            _explicit(0x00020002, b"UI", sop_class.encode("ascii")),
            _explicit(0x00020003, b"UI", sop_instance.encode("ascii")),
            _explicit(0x00020010, b"UI", transfer_syntax.encode("ascii")),
            _explicit(0x00020012, b"UI", uids.IMPLEMENTATION_CLASS.encode("ascii")),
            _explicit(0x00020013, b"SH", uids.IMPLEMENTATION_VERSION.encode("ascii")),
            _explicit(0x00020016, b"AE", source_aet.encode("ascii", "replace")) if source_aet else b"",
            _explicit(0x00020018, b"AE", receiving_aet.encode("ascii", "replace")) if receiving_aet else b"",
        )
    )
    return bytes(PREAMBLE) + b"DICM" + _explicit(0x00020000, b"UL", struct.pack("<I", len(body))) + body


def _explicit(tag: int, vr: bytes, value: bytes) -> bytes:
    if len(value) % 2:
        value += b"\0" if vr in {b"UI", b"OB"} else b" "
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    if vr in _LONG_VRS:
        return head + struct.pack("<HI", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def has_preamble(buffer: Buffer) -> bool:
    return len(buffer) >= PREAMBLE + 4 and bytes(buffer[PREAMBLE : PREAMBLE + 4]) == b"DICM"


def read_meta(buffer: Buffer) -> FileMeta:
    """File Meta Information of a Part 10 file. Raises Unreadable."""
    if not has_preamble(buffer):
        raise Unreadable("not-dicom", "there is no DICM prefix at byte 128 (PS3.10 7.1)")
    return _read_meta_at(buffer, PREAMBLE + 4)


def _read_meta_at(buffer: Buffer, pos: int) -> FileMeta:
    values: dict[int, str] = {}
    size = len(buffer)
    while pos + 8 <= size:
        group, number, vr, short = struct.unpack_from("<HH2sH", buffer, pos)
        if group != 2:
            break
        if vr in _LONG_VRS:
            if pos + 12 > size:
                raise Unreadable("truncated", "the file ends inside its File Meta Information")
            length, pos = struct.unpack_from("<I", buffer, pos + 8)[0], pos + 12
        elif vr in _SHORT_VRS:
            length, pos = short, pos + 8
        else:
            raise Unreadable(
                "unreadable", "the File Meta Information is not Explicit VR Little Endian (PS3.10 7.1)"
            )
        if pos + length > META_LIMIT:
            raise Unreadable("unreadable", "there is more than 1 MiB of File Meta Information")
        if pos + length > size:
            raise Unreadable("truncated", "the file ends inside its File Meta Information")
        if vr == b"UI":
            values[number] = bytes(buffer[pos : pos + length]).decode("ascii", "replace").strip("\0 ")
        pos += length
    return FileMeta(values.get(0x10, ""), values.get(0x02, ""), values.get(0x03, ""), pos)


def data_set_begin(head: Buffer) -> int | None:
    """Where the data set begins, told from the first bytes of a file; None while they do not show
    it yet. 0 for bytes that are no Part 10 file."""
    if len(head) < PREAMBLE + 4:
        return None
    if not has_preamble(head):
        return 0
    try:
        meta = _read_meta_at(head, PREAMBLE + 4)
    except Unreadable as error:
        return None if error.rule == "truncated" else 0
    return meta.dataset_offset if meta.dataset_offset + _ELEMENT_HEAD <= len(head) else None


def begins_data_set(data: bytes | bytearray | Buffer) -> bool:
    """Whether no more File Meta Information follows: some data sets begin with such elements of their own,
    and whoever reads the file takes them for it."""
    return len(data) >= _ELEMENT_HEAD and bytes(data[:2]) != b"\2\0"


def guess_headless(buffer: Buffer) -> FileMeta:
    """A data set without preamble: File Meta Information alone, or a bare data set whose encoding
    shows in its first element. Raises Unreadable when it looks like neither."""
    if len(buffer) < 8:
        raise Unreadable("empty" if not len(buffer) else "not-dicom", "there are fewer than eight bytes")
    group, _, vr = struct.unpack_from("<HH2s", buffer, 0)
    known_vr = vr in _SHORT_VRS or vr in _LONG_VRS
    if group == 2 and known_vr:
        return _read_meta_at(buffer, 0)
    if group in {0x0008, 0x0004} and known_vr:
        return FileMeta(uids.EXPLICIT_LE, "", "", 0)
    if group in {0x0800, 0x0400} and known_vr:
        return FileMeta(uids.EXPLICIT_BE, "", "", 0)
    if group in {0x0008, 0x0004, 0x0010} and struct.unpack_from("<I", buffer, 4)[0] < 0x10000:
        return FileMeta(uids.IMPLICIT_LE, "", "", 0)
    raise Unreadable("not-dicom", "there is no DICM prefix and the first bytes are no data element")


def walk(buffer: Buffer, transfer_syntax: str, offset: int = 0) -> Walk:
    """Walk the data set that begins at `offset`. Raises Unreadable.

    Stops at encapsulated pixel data, whose end only its items tell; the caller finds it and may
    `resume` behind it."""
    state = _begun(buffer, len(buffer), transfer_syntax)
    _Walker(state).data_set(state.dataset, offset, len(buffer), 0)
    return state


def walk_beginning(beginning: Buffer, size: int, transfer_syntax: str, offset: int) -> Walk | None:
    """The same for a file of `size` bytes, from what it begins with; None when more of it is needed, which
    is not so for one that ends with native pixel data: a walk does not look into that. Raises Unreadable."""
    state = _begun(beginning, size, transfer_syntax)
    try:
        _Walker(state).data_set(state.dataset, offset, size, 0)
    except struct.error:  # a header lies behind what is there
        return None
    if size <= len(beginning):
        return state
    last = state.pixels
    if last is None or last.vr not in {"OB", "OW"} or last.length is None:
        return None
    is_last = last.offset + last.length == state.dataset.end == size
    return state if is_last and last.offset <= len(beginning) else None


def _begun(buffer: Buffer, size: int, transfer_syntax: str) -> Walk:
    return Walk(
        buffer,
        size,
        implicit=transfer_syntax == uids.IMPLICIT_LE,
        big_endian=transfer_syntax == uids.EXPLICIT_BE,
        dataset=DataSet(),
    )


def find(prefix: Buffer, size: int, transfer_syntax: str, offset: int, tag: int) -> DataSet | None:
    """The elements of a data set of `size` bytes up to `tag`, from what it begins with; None when more of
    it is needed to tell. Raises Unreadable."""
    state = _begun(prefix, size, transfer_syntax)
    try:
        _Walker(state, until=tag).data_set(state.dataset, offset, size, 0)
    except struct.error:  # a header lies behind what is there
        return None
    return state.dataset


def resume(state: Walk, offset: int) -> None:
    """Go on behind the encapsulated pixel data that the walk stopped at."""
    _Walker(state).data_set(state.dataset, offset, state.size, 0)


class _Walker:
    __slots__ = ("_buffer", "_implicit", "_long", "_short", "_state", "_tag", "_until")

    def __init__(self, state: Walk, *, until: int = 1 << 32) -> None:
        self._until = until
        order = ">" if state.big_endian else "<"
        self._state = state
        self._buffer = state.buffer
        self._implicit = state.implicit
        self._tag = struct.Struct(order + "HHI").unpack_from
        self._short = struct.Struct(order + "HH2sH").unpack_from
        self._long = struct.Struct(order + "I").unpack_from

    def data_set(self, into: DataSet, pos: int, end: int, depth: int, *, delimited: bool = False) -> int:
        """Read elements until `end` or, in an item of undefined length, its delimiter."""
        elements, buffer = into.elements, self._buffer
        for _ in range(MAX_ELEMENTS):
            if pos + 8 > end:
                break
            group, number, length = self._tag(buffer, pos)
            tag = group << 16 | number
            if not tag and not depth and not length and self._is_padding(pos, end):
                break
            if group == 0xFFFE and depth and tag in {_ITEM_END, _SEQUENCE_END}:
                # The end of a sequence closes an item that was never closed itself.
                into.end = pos + 8 if tag == _ITEM_END else pos
                return into.end
            element, pos = self._element(tag, length, pos, end, depth)
            if tag not in elements or tag in _PIXEL_ELEMENTS:
                elements[tag] = element
            if tag in _PIXEL_ELEMENTS and not depth:
                self._state.pixels = element
                if element.length is None:
                    into.end = pos
                    return pos
            if tag >= self._until and not depth:
                into.end = pos
                return pos
        else:
            raise Unreadable("unreadable", f"a data set of more than {MAX_ELEMENTS} elements")
        if delimited:
            raise Unreadable("truncated", "an item of undefined length has no end")
        self._check_rest(pos, end)
        into.end = pos
        return end

    def _element(self, tag: int, length: int, pos: int, end: int, depth: int) -> tuple[Element, int]:
        """The element at `pos` and where the next one begins."""
        if self._implicit or tag >> 16 == 0xFFFE:
            vr, value = self._implicit_vr(tag, length), pos + 8
        else:
            vr, length, value = self._explicit_vr(pos, end)
            if vr == "UN" and length != _UNDEFINED and not self._state.big_endian:
                vr = self._implicit_vr(tag, length)
        element = Element(tag, vr, value, length)
        if length == _UNDEFINED:
            if tag in _PIXEL_ELEMENTS and not depth:
                element.length = None
                return element, value
            return element, self._undefined(element, end, depth)
        pos = value + length
        if pos > end:
            raise Unreadable("truncated", self._cut(tag, pos - end))
        if vr == "SQ":
            self._defined(element, pos, depth)
        return element, pos

    def _check_rest(self, pos: int, end: int) -> None:
        if end - pos in range(1, 8) and any(self._buffer[pos:end]):
            raise Unreadable("truncated", f"{end - pos} bytes are left that hold no whole element")

    def _is_padding(self, pos: int, end: int) -> bool:
        """Nothing but zeros: some fill their last block."""
        if end > len(self._buffer):
            return False
        steps = range(pos, end, len(_ZEROS))
        return all(self._buffer[at : min(at + len(_ZEROS), end)] == _ZEROS[: end - at] for at in steps)

    def _cut(self, tag: int, missing: int) -> str:
        return f"{attributes.keyword_of(tag)} reaches {missing} bytes beyond the end"

    def _implicit_vr(self, tag: int, length: int) -> str:
        if length == _UNDEFINED and tag not in _PIXEL_ELEMENTS:
            return "SQ"
        if tag & 0xFFFF == 0:
            return "UL"
        if tag >> 16 & 1:
            return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
        return attributes.vr_of(tag)

    def _explicit_vr(self, pos: int, end: int) -> tuple[str, int, int]:
        _, _, raw, short = self._short(self._buffer, pos)
        if raw in _SHORT_VRS:
            return raw.decode(), short, pos + 8
        if raw in _LONG_VRS:
            if pos + 12 > end:
                raise Unreadable("truncated", "the data set ends inside an element's header")
            return raw.decode(), self._long(self._buffer, pos + 8)[0], pos + 12
        return self._odd_vr(raw, pos, end)

    def _odd_vr(self, raw: bytes, pos: int, end: int) -> tuple[str, int, int]:
        """VRs of tomorrow have 32-bit lengths (PS3.5 6.2); a header that is no letters at all is an
        element some writers left in implicit form."""
        if raw.isalpha() and raw.isupper() and pos + 12 <= end:
            return "UN", self._long(self._buffer, pos + 8)[0], pos + 12
        group, number, length = self._tag(self._buffer, pos)
        tag = group << 16 | number
        if length != _UNDEFINED and pos + 8 + length > end:
            raise Unreadable(
                "unreadable", f"{attributes.keyword_of(tag)} has neither a VR nor a length that fits"
            )
        return self._implicit_vr(tag, length), length, pos + 8

    def _undefined(self, element: Element, end: int, depth: int) -> int:
        if element.vr not in {"SQ", "UN"}:
            return self._skip_fragments(element, end)
        if element.vr == "UN" and not self._implicit:
            # PS3.5 6.2.2: UN of undefined length is a sequence in Implicit VR Little Endian.
            items, pos = self._as_implicit().open_items(element.offset, end, depth)
        else:
            items, pos = self.open_items(element.offset, end, depth)
        element.vr, element.items, element.length = "SQ", items, pos - element.offset
        return pos

    def _defined(self, element: Element, end: int, depth: int) -> None:
        """Items of a sequence of known length; one that was written as UN is implicit (PS3.5 6.2.2)."""
        written_as = bytes(self._buffer[element.offset - 8 : element.offset - 6])
        if self._implicit or written_as != b"UN":
            element.items = self.items(element.offset, end, depth)
            return
        try:
            element.items = self._as_implicit().items(element.offset, end, depth)
        except Unreadable:
            element.vr = "UN"  # opaque bytes were promised, and opaque they stay

    def _as_implicit(self) -> "_Walker":
        return _Walker(
            Walk(
                self._buffer,
                self._state.size,
                implicit=True,
                big_endian=False,
                dataset=DataSet(),
                items_left=self._state.items_left,
            )
        )

    def _skip_fragments(self, element: Element, end: int) -> int:
        """Encapsulated data below the top level (an icon image): step over its items."""
        pos = element.offset
        while pos + 8 <= end:
            group, number, length = self._tag(self._buffer, pos)
            pos += 8
            if (group << 16 | number) == _SEQUENCE_END:
                element.length = pos - element.offset
                return pos
            if (group << 16 | number) != _ITEM or pos + length > end:
                break
            pos += length
        raise Unreadable("truncated", self._cut(element.tag, 0))

    def items(self, pos: int, end: int, depth: int) -> list[DataSet]:
        items: list[DataSet] = []
        while pos + 8 <= end:
            item, pos = self._item(pos, end, depth)
            if item is None:
                break
            items.append(item)
        return items

    def open_items(self, pos: int, end: int, depth: int) -> tuple[list[DataSet], int]:
        items: list[DataSet] = []
        while pos + 8 <= end:
            item, pos = self._item(pos, end, depth)
            if item is None:
                return items, pos
            items.append(item)
        raise Unreadable("truncated", "a sequence of undefined length has no end")

    def _item(self, pos: int, end: int, depth: int) -> tuple[DataSet | None, int]:
        if depth >= MAX_DEPTH:
            raise Unreadable("too-deep", f"sequences are nested more than {MAX_DEPTH} deep")
        group, number, length = self._tag(self._buffer, pos)
        tag = group << 16 | number
        if tag == _SEQUENCE_END:
            return None, pos + 8
        if tag != _ITEM:
            raise Unreadable("unreadable", f"{tag:08X} stands where a sequence item should begin")
        self._state.items_left[0] -= 1
        if self._state.items_left[0] < 0:
            raise Unreadable("unreadable", f"more than {MAX_ITEMS} sequence items")
        item = DataSet(delimited=length == _UNDEFINED)
        if item.delimited:
            return item, self.data_set(item, pos + 8, end, depth + 1, delimited=True)
        if pos + 8 + length > end:
            raise Unreadable("truncated", "a sequence item reaches beyond its sequence")
        self.data_set(item, pos + 8, pos + 8 + length, depth + 1)
        return item, pos + 8 + length


def value(buffer: Buffer, element: Element | None) -> bytes:
    """The raw value field, empty when the element is absent."""
    if element is None or not element.length:
        return b""
    return bytes(buffer[element.offset : element.offset + element.length])


def ascii_value(buffer: Buffer, element: Element | None) -> str:
    """Text of a VR that the character set does not touch, first value, padding removed."""
    return value(buffer, element).decode("ascii", "replace").split("\\")[0].strip("\0 ")


def integer(state: Walk, tag: int, default: int) -> int:
    """A US, UL, SS or IS value of the top level; `default` when absent or not a number."""
    element = state.dataset.elements.get(tag)
    raw = value(state.buffer, element)
    if element is None or not raw:
        return default
    order = ">" if state.big_endian else "<"
    match element.vr:
        case "US" | "SS" if len(raw) >= 2:
            return int(struct.unpack_from(order + ("H" if element.vr == "US" else "h"), raw)[0])
        case "UL" | "SL" if len(raw) >= 4:
            return int(struct.unpack_from(order + ("I" if element.vr == "UL" else "i"), raw)[0])
        case _:
            try:
                return int(float(raw.decode("ascii", "replace").split("\\")[0].strip("\0 ")))
            except (ValueError, OverflowError):
                return default
