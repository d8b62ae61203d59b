"""The Native DICOM Model (PS3.19 A.1) read. A document type, and with it every entity, is refused; what
is read is bounded in length, depth and number of nodes."""

from typing import Final
from xml.parsers import expat

from pacs.dicom.described import (
    GROUPS,
    DataSet,
    Described,
    Malformed,
    check_depth,
    decoded,
    tag_of,
    vr_of,
)

LARGEST: Final = 32 << 20  # bytes of one document
_MOST_NODES: Final = 1_000_000  # and values that are only known to be missing
_FEW_NODES: Final = 1000  # are fine however short the document is
_ROOT: Final = "NativeDicomModel"
_COMPONENTS: Final = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_INSIDE: Final[dict[str, tuple[str, ...]]] = {
    "": (_ROOT,),
    _ROOT: ("DicomAttribute",),
    "Item": ("DicomAttribute",),
    "DicomAttribute": ("Value", "Item", "PersonName", "BulkData", "InlineBinary"),
    "PersonName": GROUPS,
    **dict.fromkeys(GROUPS, _COMPONENTS),
}
_SPOKEN: Final = frozenset({"Value", "InlineBinary", *_COMPONENTS})
_LARGEST_NUMBER: Final = 1_000_000


def data_set(text: bytes) -> DataSet:
    """Raises Malformed."""
    if len(text) > LARGEST:
        raise Malformed("the metadata is too long")
    reader = _Reader(min(_MOST_NODES, max(len(text), _FEW_NODES)))
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.buffer_text = True
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, LookupError, ValueError):  # the last two of what it says of its encoding
        raise Malformed("the metadata is not XML") from None
    return reader.root


def _refuse(*_: object) -> None:
    raise Malformed("the metadata declares a document type, which is not read")


class _Reader:
    """What stands open, from the root inwards."""

    def __init__(self, most: int) -> None:
        self.root: DataSet = {}
        self._left = most
        self._path: list[str] = [""]
        self._sets: list[_Set] = [_Set(self.root)]
        self._elements: list[Described] = []
        self._name: dict[str, dict[str, str]] = {}
        self._group = ""
        self._number = 0
        self._said: list[str] = []

    def start(self, qualified: str, given: dict[str, str]) -> None:
        name = qualified.rpartition(" ")[2]
        if name not in _INSIDE.get(self._path[-1], ()):
            raise Malformed("the metadata holds an element that has no place there (PS3.19 A.1)")
        self._spend(1)
        self._path.append(name)
        self._said = []
        match name:
            case "DicomAttribute":
                self._begin(given)
            case "Item":
                self._item()
            case "BulkData":
                self._elements[-1].bulk = _address(given)
            case "Value" | "PersonName":
                self._number = _number(given)
                self._name = {}
            case _ if name in GROUPS:
                self._group = name

    def text(self, data: str) -> None:
        if self._path[-1] in _SPOKEN:
            self._said.append(data)

    def end(self, _: str) -> None:
        name = self._path.pop()
        match name:
            case "DicomAttribute":
                _check_alone(self._elements.pop())
            case "Item":
                self._sets.pop()
            case "Value":
                self._keep("".join(self._said))
            case "InlineBinary":
                self._elements[-1].inline = decoded("".join(self._said))
            case "PersonName":
                self._keep("=".join(_group(self._name.get(group, {})) for group in GROUPS).rstrip("="))
            case _ if name in _COMPONENTS:
                self._name.setdefault(self._group, {})[name] = "".join(self._said)

    def _begin(self, given: dict[str, str]) -> None:
        here = self._sets[-1]
        tag = here.tag(tag_of(given.get("tag")), given.get("privateCreator", ""))
        found = Described(vr_of(tag, given.get("vr")))
        if found.vr == "SQ":
            found.items = []
        here.elements[tag] = found
        self._elements.append(found)

    def _item(self) -> None:
        items = self._elements[-1].items
        if items is None:
            raise Malformed("an item stands in an attribute that is no sequence")
        check_depth(len(self._sets))
        items.append({})
        self._sets.append(_Set(items[-1]))

    def _keep(self, value: str) -> None:
        """An empty value of several is known by the number that is missing."""
        values = self._elements[-1].values
        if not len(values) < self._number <= _LARGEST_NUMBER:
            raise Malformed("values are not numbered from 1 upwards")
        missing = self._number - 1 - len(values)
        self._spend(missing)
        values += [None] * missing
        values.append(value)

    def _spend(self, nodes: int) -> None:
        self._left -= nodes
        if self._left < 0:
            raise Malformed("the metadata is too long")


class _Set:
    """A data set and the private blocks that its creators have in it."""

    def __init__(self, elements: DataSet) -> None:
        self.elements = elements
        self._blocks: dict[tuple[int, str], int] = {}

    def tag(self, tag: int, creator: str) -> int:
        """Of a private attribute the block says nothing: its creator's is taken, or the next free one
        (PS3.5 7.8)."""
        group = tag >> 16
        if not creator or group % 2 == 0:
            return tag
        block = self._blocks.get((group, creator)) or self._found(group, creator)
        self._blocks[group, creator] = block
        return group << 16 | block << 8 | tag & 0xFF

    def _found(self, group: int, creator: str) -> int:
        for block in range(0x10, 0x100):
            known = self.elements.get(group << 16 | block)
            if known is None:
                self.elements[group << 16 | block] = Described("LO", [creator])
                return block
            if [str(value).strip() for value in known.values] == [creator.strip()]:
                return block
        raise Malformed("a private group has more creators than it has room for")


def _group(components: dict[str, str]) -> str:
    return "^".join(components.get(name, "") for name in _COMPONENTS).rstrip("^")


def _check_alone(one: Described) -> None:
    there = (one.values, one.inline is not None, one.bulk, one.items is not None)
    if sum(map(bool, there)) > 1:
        raise Malformed("an attribute has more than one kind of value (PS3.19 A.1.5)")


def _address(given: dict[str, str]) -> str:
    """Of bulk data: one of the two is there (PS3.19 A.1.5)."""
    if uri := given.get("uri"):
        return uri
    if uuid := given.get("uuid"):
        return f"urn:uuid:{uuid}"
    raise Malformed("bulk data has neither a uri nor a uuid (PS3.19 A.1.5)")


def _number(given: dict[str, str]) -> int:
    text = given.get("number", "1")
    if not text.isascii() or not text.isdigit() or len(text) > 8:
        raise Malformed("values are not numbered from 1 upwards")
    return int(text)
