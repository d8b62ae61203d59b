"""STOW-RS of metadata and bulk data: what the archive describes, it takes back (PS3.18 10.5, F; PS3.19 A)."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom import encaps

from dicomweb import native
from pacs.config import Config
from tests.conformance.dicomweb.conftest import running
from tests.support import corpus
from tests.support.described import (
    JSON,
    OCTETS,
    XML,
    Bulk,
    DataSet,
    addresses,
    as_xml_has_it,
    fetched,
    metadata_of,
    renamed,
    request,
    send,
    shown_as,
)
from tests.support.dicom_object import DicomObject
from tests.support.factory import ct_series, fresh_uid
from tests.support.web_client import Web, parts_of, value

EXPLICIT_LE, BIG_ENDIAN, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
NATIVE = {"1.2.840.10008.1.2", EXPLICIT_LE, BIG_ENDIAN, DEFLATED}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(Config(data=tmp_path_factory.mktemp("described"))) as url:
        assert Web(f"{url}/dicom-web").store(corpus.waves()[0]).status == 200
        yield url


@pytest.fixture
def root(url: str) -> str:
    return f"{url}/dicom-web"


def ct(**more: Any) -> DataSet:
    """A small CT image without pixel data."""
    uids = {tag: {"vr": "UI", "Value": [fresh_uid()]} for tag in ("0020000D", "0020000E", "00080018")}
    return {
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]},
        "00100020": {"vr": "LO", "Value": ["SYN-9"]},
        "00280002": {"vr": "US", "Value": [1]},
        "00280010": {"vr": "US", "Value": [2]},
        "00280011": {"vr": "US", "Value": [2]},
        "00280100": {"vr": "US", "Value": [8]},
        **uids,
        **more,
    }


def key_of(dataset: DataSet) -> str:
    study, series, instance = (dataset[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018"))
    return f"/studies/{study}/series/{series}/instances/{instance}"


def kept(client: httpx.Client, root: str, dataset: DataSet) -> DataSet:
    answer = client.get(root + key_of(dataset) + "/metadata", headers={"Accept": JSON})
    assert answer.status_code == 200, answer.text
    return dict(answer.json()[0])


def octets(client: httpx.Client, root: str, dataset: DataSet) -> bytes:
    """The first frame."""
    return client.get(root + key_of(dataset) + "/frames/1", headers={"Accept": OCTETS}).content


def refusal(answer: httpx.Response) -> int:
    assert answer.status_code == 409, answer.text
    return int(value(answer.json()["00081198"]["Value"][0], "00081197"))


@pytest.mark.parametrize("form", [JSON, XML])
def test_what_is_described_is_taken_back(root: str, client: httpx.Client, form: str) -> None:
    """Every packaged file, its metadata and bulk data sent again under other UIDs: the same data set."""
    wrong: list[tuple[Any, ...]] = []
    items = corpus.waves()[0][:: 1 if form == JSON else 3]
    assert len(items) > 25
    for item in items:
        before = metadata_of(client, root, item)
        syntax = "" if item.transfer_syntax in NATIVE else item.transfer_syntax
        bulk = fetched(client, before, syntax)
        again = renamed(before)
        answer = send(client, root, [again], bulk, form=form)
        if answer.status_code != 200:
            wrong.append((item.name, answer.text[:300], answer.headers.get("warning")))
            continue
        after = kept(client, root, again)
        found = shown_as(after, before)
        if syntax and "7FE00010" in before:  # one file calls it OW, which it must not (PS3.5 A.4)
            before["7FE00010"]["vr"] = "OB"
        if not syntax:  # what is not compressed is kept in the syntax of values that are sent one by one
            before["00083002"]["Value"] = [EXPLICIT_LE]
        if form == XML:
            before, found = as_xml_has_it(before), as_xml_has_it(found)
        if found != before:
            wrong.append((item.name, *_first_difference(before, found)))
            continue
        values = [client.get(address).content for address in addresses(after)]
        if values != [one.body for one in bulk]:
            wrong.append((item.name, "bulk data"))
    assert not wrong, "\n".join(map(str, wrong))


def _first_difference(one: Any, other: Any) -> tuple[Any, ...]:
    return next(
        ((tag, one.get(tag), other.get(tag)) for tag in {*one, *other} if one.get(tag) != other.get(tag)), ()
    )


@pytest.mark.parametrize(
    ("named", "located"),
    [
        ("bulk/1", "bulk/1"),
        ("bulk/1", "{root}/bulk/1"),
        ("{root}/bulk/1", "bulk/1"),
        ("/x/1", "{url}/x/1"),
        ("urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66", "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66"),
    ],
)
def test_bulk_data_is_known_by_its_location(
    url: str, root: str, client: httpx.Client, named: str, located: str
) -> None:
    said = {"vr": "OB", "BulkDataURI": named.format(url=url, root=root)}
    dataset = ct(**{"7FE00010": said})
    answer = send(client, root, [dataset], [Bulk(located.format(url=url, root=root), b"\1\2\3\4")])
    assert answer.status_code == 200, answer.text
    assert octets(client, root, dataset) == b"\1\2\3\4"


def test_what_was_not_sent_fails_for_its_instance_only(root: str, client: httpx.Client) -> None:
    lacking = ct(**{"00020010": {"vr": "UI", "Value": ["1.2.840.10008.1.2.1"]}})
    lacking["7FE00010"] = {"vr": "OB", "BulkDataURI": "no/such"}
    whole = ct(**{"7FE00010": {"vr": "OB", "InlineBinary": "AQIDBA=="}})
    answer = send(client, root, [lacking, whole])
    assert answer.status_code == 202
    (failed,) = answer.json()["00081198"]["Value"]
    (stored,) = answer.json()["00081199"]["Value"]
    assert (value(failed, "00081155"), value(failed, "00081197")) == (value(lacking, "00080018"), 0xC000)
    assert value(failed, "00081150") == "1.2.840.10008.5.1.4.1.1.2"
    assert value(stored, "00081155") == value(whole, "00080018")
    assert octets(client, root, whole) == b"\1\2\3\4"


SYNTAXES = {
    "MR_small_jp2klossless.dcm": "image/jp2",
    "SC_rgb_jpeg_dcmtk.dcm": "image/jpeg",
    "JPGExtended.dcm": "image/jpeg",
    "MR_small_RLE.dcm": "image/dicom-rle",
    "MR_small_jpeg_ls_lossless.dcm": "image/jls",
}
ANY_FRAME = {"Accept": "multipart/related; type=application/octet-stream; transfer-syntax=*"}


def code_stream(name: str) -> tuple[str, bytes]:
    """Transfer syntax and first frame of a packaged file."""
    dataset = pydicom.dcmread(corpus.folder() / "test_files" / name)
    frame = next(encaps.generate_frames(dataset.PixelData, number_of_frames=1))
    return dataset.file_meta.TransferSyntaxUID, frame


@pytest.mark.parametrize("name", SYNTAXES)
def test_compressed_frames_come_by_media_type(root: str, client: httpx.Client, name: str) -> None:
    """One part for each frame, without items; what is stored is the same code stream."""
    syntax, frame = code_stream(name)
    for kind in (SYNTAXES[name], f"{SYNTAXES[name]}; transfer-syntax={syntax}"):
        for location in ("pixels", "pixels/frames/1"):
            dataset = ct(**{"7FE00010": {"vr": "OB", "BulkDataURI": "pixels"}})
            answer = send(client, root, [dataset], [Bulk(location, frame, kind)])
            assert answer.status_code == 200, answer.text
            stored = client.get(root + key_of(dataset) + "/frames/1", headers=ANY_FRAME)
            (back,) = parts_of(stored)
            assert f"transfer-syntax={syntax}" in back.headers["content-type"].replace(" ", "")
            assert back.body.rstrip(b"\0") == frame.rstrip(b"\0")


def test_every_frame_needs_its_part(root: str, client: httpx.Client) -> None:
    dataset = ct(**{"7FE00010": {"vr": "OB", "BulkDataURI": "pixels"}})
    dataset["00280008"] = {"vr": "IS", "Value": [3]}
    _, frame = code_stream("MR_small_jp2klossless.dcm")
    parts = [Bulk("pixels", frame, "image/jp2")] * 3
    assert refusal(send(client, root, [dataset], parts[:2])) == 0xC000
    mixed = [*parts[:2], Bulk("pixels", b"\0\0", OCTETS)]
    assert refusal(send(client, root, [dataset], mixed)) == 0xC000
    assert send(client, root, [dataset], parts).status_code == 200
    assert client.get(root + key_of(dataset) + "/frames/3", headers=ANY_FRAME).status_code == 200


def test_offsets_of_others_are_discarded_and_told(root: str, client: httpx.Client) -> None:
    dataset = ct(**{"7FE00010": {"vr": "OB", "BulkDataURI": "pixels"}})
    dataset["7FE00001"] = {"vr": "OV", "InlineBinary": "AAAAAAAAAAA="}
    answer = send(
        client, root, [dataset], [Bulk("pixels", code_stream("MR_small_jp2klossless.dcm")[1], "image/jp2")]
    )
    assert answer.status_code == 202
    (stored,) = answer.json()["00081199"]["Value"]
    assert value(stored, "00081196") == 0xB006
    assert "00081198" not in answer.json()
    assert "7FE00001" not in kept(client, root, dataset)


def test_the_study_of_the_address_counts(root: str, client: httpx.Client) -> None:
    mine, other = ct(), ct()
    answer = send(client, root, [mine, other], study=value(mine, "0020000D"))
    assert answer.status_code == 202
    (failed,) = answer.json()["00081198"]["Value"]
    assert (value(failed, "00081155"), value(failed, "00081197")) == (value(other, "00080018"), 43265)


@pytest.mark.parametrize("form", [JSON, XML])
def test_the_answer_in_xml(root: str, client: httpx.Client, form: str) -> None:
    dataset = ct()
    answer = send(client, root, [dataset], form=form, accept=XML)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == XML
    assert f'<Value number="1">{value(dataset, "00080018")}</Value>' in answer.text
    assert 'tag="00081199"' in answer.text
    assert send(client, root, [ct()], accept="image/png").status_code == 406


def test_metadata_by_itself(root: str, client: httpx.Client) -> None:
    for kind, text in (
        (JSON, json.dumps([ct(), ct()]).encode()),
        (JSON, json.dumps(ct()).encode()),
        (XML, native.document(ct())),
    ):
        answer = client.post(f"{root}/studies", content=text, headers={"Content-Type": kind})
        assert answer.status_code == 200, answer.text


def test_text_of_every_script(root: str, client: httpx.Client) -> None:
    name = {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    numbers = {"vr": "FD", "Value": ["NaN", "-Infinity", 0.1]}
    dataset = ct(
        **{
            "00080005": {"vr": "CS", "Value": ["ISO_IR 100"]},
            "00100010": {"vr": "PN", "Value": [name]},
            "00081030": {"vr": "LO", "Value": ["Prüfung", None, "пример"]},
            "00189087": numbers,
            "00281050": {"vr": "DS", "Value": [1 / 3, "40"]},
            "00091001": {"vr": "UV", "Value": ["18446744073709551615", 7]},
            "00090010": {"vr": "LO", "Value": ["ACME"]},
            "00081140": {"vr": "SQ", "Value": [{"00081150": {"vr": "UI", "Value": ["1.2"]}}, {}]},
        }
    )
    for form in (JSON, XML):
        again = renamed(dataset)
        assert send(client, root, [again], form=form).status_code == 200
        found = kept(client, root, again)
        assert found["00080005"]["Value"] == ["ISO_IR 192"]
        assert found["00100010"]["Value"] == [name]
        assert found["00081030"]["Value"] == ["Prüfung", None, "пример"]
        assert found["00189087"] == numbers
        assert found["00281050"]["Value"] == [pytest.approx(1 / 3, rel=1e-9), 40]
        assert found["00091001"]["Value"] == ["18446744073709551615", 7]
        assert found["00081140"]["Value"] == [{"00081150": {"vr": "UI", "Value": ["1.2"]}}, {}]


BROKEN: dict[str, DataSet] = {
    "no object": [],  # type: ignore[dict-item]
    "no tag": {"PatientName": {"vr": "PN"}},
    "no VR": {"00100010": {"vr": "XX"}},
    "no element": {"00100010": 7},
    "two values": {"00100010": {"vr": "PN", "Value": [], "BulkDataURI": "x"}},
    "bulk data nowhere": {"7FE00010": {"vr": "OW", "BulkDataURI": ""}},
    "no array": {"00100020": {"vr": "LO", "Value": "x"}},
    "no base64": {"00091001": {"vr": "OB", "InlineBinary": "%"}},
    "out of range": {"00280010": {"vr": "US", "Value": [70000]}},
    "no number": {"00280010": {"vr": "US", "Value": ["many"]}},
    "a truth": {"00280010": {"vr": "US", "Value": [True]}},
    "a delimiter": {"FFFEE00D": {"vr": "UN"}},
    "a name in a wrong place": {"00100020": {"vr": "LO", "Value": [{"Alphabetic": "x"}]}},
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_what_describes_nothing_is_refused(root: str, client: httpx.Client, broken: Any) -> None:
    dataset = ct(**broken) if isinstance(broken, dict) else broken
    answer = send(client, root, [dataset])
    assert refusal(answer) == 0xC000
    assert "SYN-9" not in answer.text


def test_uids_are_needed(root: str, client: httpx.Client) -> None:
    for tag in ("00080016", "00080018", "0020000D", "0020000E"):
        dataset = ct()
        del dataset[tag]
        assert refusal(send(client, root, [dataset])) == 0xC000
        assert refusal(send(client, root, [{**dataset, tag: {"vr": "UI", "Value": ["../x"]}}])) == 0xC000


def test_depth_is_bounded(root: str, client: httpx.Client) -> None:
    nested: Any = {}
    for _ in range(80):
        nested = {"00081140": {"vr": "SQ", "Value": [nested]}}
    for form in (JSON, XML):
        answer = send(client, root, [ct(**nested)], form=form)
        assert answer.status_code in {400, 409}, answer.text
    for text in (
        b"[" * 200_000 + b"]" * 200_000,
        b'{"00081140":' * 100_000,
        b"[" + b"{}," * 2_000_000 + b"{}]",
    ):
        answer = client.post(f"{root}/studies", content=text, headers={"Content-Type": JSON})
        assert answer.status_code == 400, answer.text
    deep = b"<a>" * 200_000 + b"</a>" * 200_000
    assert client.post(f"{root}/studies", content=deep, headers={"Content-Type": XML}).status_code == 400


EVIL = {
    "a document type": b"<!DOCTYPE x><NativeDicomModel/>",
    "entities": b'<!DOCTYPE x [<!ENTITY a "a"><!ENTITY b "&a;&a;">]><NativeDicomModel>&b;</NativeDicomModel>',
    "outside": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><NativeDicomModel>&a;</NativeDicomModel>',
    "parameter": b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x">%p;]><NativeDicomModel/>',
    "unknown": b"<NativeDicomModel>&nothing;</NativeDicomModel>",
    "another root": b"<html/>",
    "no XML": b"\xff\xfe\x00",
    "cut off": b"<NativeDicomModel>",
    "far numbers": b'<NativeDicomModel><DicomAttribute tag="00080008" vr="CS"><Value number="99999999">x'
    b"</Value></DicomAttribute></NativeDicomModel>",
    "an encoding there is not": b'<?xml version="1.0" encoding="foo"?><NativeDicomModel/>',
    "an encoding of many bytes": b'<?xml version="1.0" encoding="gb2312"?><NativeDicomModel/>',
    "missing values": b'<NativeDicomModel><DicomAttribute tag="00080008" vr="CS"><Value number="999999">x'
    b"</Value></DicomAttribute></NativeDicomModel>",
    "an item elsewhere": b'<NativeDicomModel><DicomAttribute tag="00080008" vr="CS"><Item number="1"/>'
    b"</DicomAttribute></NativeDicomModel>",
}


@pytest.mark.parametrize("text", EVIL.values(), ids=EVIL)
def test_dangerous_xml_is_refused(root: str, client: httpx.Client, text: bytes) -> None:
    answer = client.post(f"{root}/studies", content=text, headers={"Content-Type": XML})
    assert answer.status_code == 400, answer.text
    assert "root:" not in answer.text


def test_private_blocks_of_xml_find_their_creator(root: str, client: httpx.Client) -> None:
    """PS3.19 A.1.5: a private attribute is known by its creator, not by its block."""
    uids = "".join(
        f'<DicomAttribute tag="{tag}" vr="UI"><Value number="1">{uid}</Value></DicomAttribute>'
        for tag, uid in ((tag, value(ct_set, tag)) for ct_set in (ct(),) for tag in UIDS)
    )
    private = "".join(
        f'<DicomAttribute tag="000900{n:02X}" vr="LO" privateCreator="{who}"><Value number="1">{who} {n}'
        "</Value></DicomAttribute>"
        for who, n in (("ACME", 1), ("OTHER", 1), ("ACME", 0x20))
    )
    text = f"<NativeDicomModel>{uids}{private}</NativeDicomModel>".encode()
    answer = client.post(f"{root}/studies", content=text, headers={"Content-Type": XML})
    assert answer.status_code == 200, answer.text
    found = client.get(value(answer.json()["00081199"]["Value"][0], "00081190") + "/metadata").json()[0]
    assert [found[tag]["Value"][0] for tag in ("00090010", "00090011")] == ["ACME", "OTHER"]
    assert found["00091001"]["Value"] == ["ACME 1"]
    assert found["00091101"]["Value"] == ["OTHER 1"]
    assert found["00091020"]["Value"] == ["ACME 32"]


UIDS = ("00080016", "00080018", "0020000D", "0020000E")


def test_envelopes_that_are_none(root: str, client: httpx.Client) -> None:
    def sent(content: bytes) -> int:
        kind = f'multipart/related; type="{JSON}"; boundary=b'
        headers = {"Content-Type": kind}
        return client.post(f"{root}/studies", content=content, headers=headers).status_code

    metadata = [(JSON, json.dumps([ct()]).encode())]
    good = request(metadata, (), "b")
    assert sent(good) == 200
    assert sent(good[:-6]) == 400, "cut off"
    assert sent(request([], [Bulk("x", b"x")], "b")) == 400, "no metadata"
    assert sent(request([(JSON, b"nonsense")], (), "b")) == 400
    assert sent(request(metadata, [Bulk("", b"x")], "b")) == 400, "bulk data without a location"
    assert sent(re.sub(rb"--b\r", b"--c\r", good)) == 400


def test_nothing_is_left_behind(url: str, root: str, client: httpx.Client, tmp_path: Path) -> None:
    """Neither what was refused nor what was cut off stays in the spool."""
    with running(Config(data=tmp_path / "own")) as own:
        big = [Bulk("x", bytes(3 << 20))]
        send(client, f"{own}/dicom-web", [ct(**{"7FE00010": {"vr": "OB", "BulkDataURI": "y"}})], big)
        client.post(f"{own}/dicom-web/studies", content=b"x", headers={"Content-Type": JSON})
        spool = tmp_path / "own" / "spool"
        assert {path.name for path in spool.rglob("*") if path.is_file()} == {".lock"}


def test_the_same_object_by_both_ways(root: str, client: httpx.Client) -> None:
    """A data set in Explicit VR Little Endian and UTF-8 is described and sent back byte for byte."""
    item: DicomObject = ct_series(1, rows=8, columns=8)[0]
    assert Web(root).store([item]).status == 200
    before = metadata_of(client, root, item)
    answer = send(client, root, [before], fetched(client, before, ""))
    assert answer.status_code == 200
    assert Web(root).objects(item.path())[0].body.endswith(item.dataset), "it was a duplicate"
