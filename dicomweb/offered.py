"""What the addresses of DICOMweb take and give beyond what is the same at all of them (PS3.18 8.9.3)."""

from collections.abc import Mapping
from typing import Final

from dicomweb import filesets, native, zipped
from dicomweb.media import DICOM, DICOM_JSON, JSON, MULTIPART, OCTET_STREAM
from dicomweb.urls import PREFIX
from pacs.retrieve.frameset import MEDIA_TYPES
from pacs.retrieve.view import Form

_STUDY: Final = f"{PREFIX}/studies/{{study}}"
_SERIES: Final = f"{_STUDY}/series/{{series}}"
_INSTANCE: Final = f"{_SERIES}/instances/{{instance}}"


def _parts(*kinds: str) -> tuple[str, ...]:
    return tuple(f'{MULTIPART}; type="{kind}"' for kind in kinds)


_DATA_SETS: Final = (DICOM_JSON, JSON, *_parts(native.XML))
_PICTURES: Final = tuple(Form)
_WRITTEN: Final = ("text/html", "text/plain", "application/pdf", "video/mp4")  # of what is no image
_IMAGES: Final = tuple(dict.fromkeys(MEDIA_TYPES.values()))

_BY_PATH: Final[Mapping[str, tuple[str, ...]]] = {
    _STUDY: (*_parts(DICOM), zipped.ZIP),
    _SERIES: (*_parts(DICOM), zipped.ZIP),
    _INSTANCE: (DICOM, *_parts(DICOM), zipped.ZIP),
    f"{_INSTANCE}/metadata": (*_DATA_SETS, native.XML),
    f"{_INSTANCE}/rendered": (*_PICTURES, *_parts(*_PICTURES), *_WRITTEN),
    f"{PREFIX}/workitems/{{workitem}}": (*_DATA_SETS, native.XML),
}
_BY_LAST_PART: Final[Mapping[str, tuple[str, ...]]] = {
    "{frames}": (*_parts(OCTET_STREAM), OCTET_STREAM, *_parts(*_IMAGES), *_IMAGES),
    "{path:path}": (*_parts(OCTET_STREAM), OCTET_STREAM),
    "rendered": (*_parts(*_PICTURES), *_PICTURES),
    "thumbnail": _PICTURES,
}

_SEARCH: Final = (
    "{attribute}", "includefield", "fuzzymatching", "emptyvaluematching", "multiplevaluematching", "limit",
    "offset",
)  # fmt: skip
_VIEW: Final = ("annotation", "quality", "viewport", "window", "iccprofile")
_QUERY: Final[Mapping[str, tuple[str, ...]]] = {
    "studies": (*_SEARCH, "orderby", "totalcount"),
    "series": (*_SEARCH, "orderby", "totalcount"),
    "instances": (*_SEARCH, "orderby", "totalcount"),
    "workitems": _SEARCH,
    "{study}": (filesets.PARAMETER,),
    "{series}": (filesets.PARAMETER,),
    "{instance}": (filesets.PARAMETER,),
    "{frames}": ("resolution",),
    "rendered": _VIEW,
    "thumbnail": ("viewport",),
}


def query(path: str) -> tuple[str, ...]:
    """The names of the parameters that a GET takes; `accept` goes everywhere (8.3.3.1)."""
    return (*_QUERY.get(_last(path), ()), "accept")


def provided(path: str) -> tuple[str, ...]:
    """Media types of what a GET gives; of pixels and documents, those that the object has."""
    return _BY_PATH.get(path) or _BY_LAST_PART.get(_last(path)) or _DATA_SETS


def answered(path: str) -> tuple[str, ...]:
    """The same of what is sent with a POST or PUT."""
    return (DICOM_JSON, JSON, native.XML) if path.startswith(f"{PREFIX}/studies") else ()


def taken(path: str) -> tuple[str, ...]:
    """Media types that can be sent."""
    if path.startswith(f"{PREFIX}/studies"):
        return (*_parts(DICOM, DICOM_JSON, native.XML), DICOM, DICOM_JSON, native.XML)
    return () if "/subscribers/" in path else (DICOM_JSON, native.XML)


def _last(path: str) -> str:
    return path.rpartition("/")[2]
