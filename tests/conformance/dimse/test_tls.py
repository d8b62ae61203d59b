"""Encrypted associations, with DCMTK and with ourselves on the other side."""

import logging
import socket
import ssl
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dimse import certificate, requestor, tls
from dimse.dialogue import Dialogue
from dimse.errors import AssociationEnded
from dimse.requestor import Target
from dimse.scu import echo
from pacs.config import Peer, TlsConfig, load
from pacs.dicom import uids
from pacs.errors import Invalid, Unavailable
from tests.conformance.dimse.conftest import House, Open
from tests.support.certificates import Authority, Identity
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import identifier, wait_for
from tests.support.factory import ct_series
from tests.support.ports import free_port
from tests.unit.dimse.fakes import CT, VERIFICATION
from tests.unit.dimse.fakes import Peer as Raw

ECHO = requestor.proposals([(VERIFICATION, (uids.IMPLICIT_LE,))])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki") / "ca")


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Identity:
    return authority.sign("hilum")


@pytest.fixture(scope="module")
def station(authority: Authority) -> Identity:
    return authority.sign("station")


@pytest.fixture(scope="module")
def expired(authority: Authority) -> Identity:
    return authority.sign("expired", days=-1)


def settings(identity: Identity, authority: Authority, **more: object) -> TlsConfig:
    known = TlsConfig(str(identity.certificate), str(identity.key), str(authority.certificate))
    return replace(known, **more)  # type: ignore[arg-type]


def dcmtk(program: str, port: int, identity: Identity | None, authority: Authority, *words: str) -> str:
    """What it says; empty when it succeeded."""
    shown = ["+tla"] if identity is None else ["+tls", str(identity.key), str(identity.certificate)]
    trusted = ["+cf", str(authority.certificate)]
    done = subprocess.run(
        [program, *shown, *trusted, "127.0.0.1", str(port), *words],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stderr + done.stdout or "failed"


def write(item: DicomObject, folder: Path) -> Path:
    path = folder / "one.dcm"
    path.write_bytes(item.part10())
    return path


@pytest.mark.peer("dcmtk")
@pytest.mark.parametrize("client", ["none", "optional", "required"])
def test_storescu(
    open_house: Open, tmp_path: Path, authority: Authority, ours: Identity, station: Identity, client: str
) -> None:
    house = open_house(tls=settings(ours, authority, client=client))
    items = ct_series(2, rows=256, columns=256)
    for item, identity in zip(items, (station, None), strict=True):
        told = dcmtk("storescu", house.port, identity, authority, str(write(item, tmp_path)))
        assert bool(told) == (identity is None and client == "required"), told
    assert dcmtk("echoscu", house.port, station, authority) == ""


@pytest.mark.peer("dcmtk")
def test_what_is_brought_encrypted_comes_back(
    open_house: Open, tmp_path: Path, authority: Authority, ours: Identity, station: Identity
) -> None:
    house = open_house(tls=settings(ours, authority, required=False))
    item = ct_series(1, rows=512, columns=512)[0]
    assert dcmtk("storescu", house.port, station, authority, str(write(item, tmp_path))) == ""
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={item.study}"]
    told = dcmtk("findscu", house.port, station, authority, "-S", "-X", "-od", str(tmp_path), *keys)
    assert told == ""
    assert len(list(tmp_path.glob("rsp*.dcm"))) == 1
    # and, on the same port, without
    _, received = house.client.get(identifier("STUDY", StudyInstanceUID=item.study), [(CT, uids.EXPLICIT_LE)])
    assert received[item.instance].digest == item.digest


@pytest.mark.peer("dcmtk")
def test_a_certificate_of_somebody_else(
    open_house: Open, tmp_path: Path, authority: Authority, ours: Identity, expired: Identity,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.INFO)
    house = open_house(tls=settings(ours, authority, client="required"))
    other = Authority(tmp_path / "other", "Other Authority")
    assert dcmtk("echoscu", house.port, other.sign("stranger"), authority) != ""
    wait_for(
        lambda: "the other side's certificate is not accepted: unable to get local issuer" in caplog.text
    )
    assert dcmtk("echoscu", house.port, expired, authority) != ""
    wait_for(lambda: "the other side's certificate is not accepted: certificate has expired" in caplog.text)


def call(house: House, config: TlsConfig) -> None:
    """C-ECHO by our own requestor. Raises AssociationEnded."""
    association = requestor.request(Target("127.0.0.1", house.port, "HILUM", "US", tls=config), ECHO)
    assert echo(Dialogue(association)).code == 0
    association.release()


def test_we_call_as_we_are_called(
    open_house: Open, authority: Authority, ours: Identity, station: Identity
) -> None:
    house = open_house(tls=settings(ours, authority, client="required"))
    call(house, settings(station, authority))
    with pytest.raises(AssociationEnded):
        call(house, TlsConfig(ca=str(authority.certificate)))


def test_we_do_not_talk_to_whom_we_do_not_trust(
    open_house: Open, tmp_path: Path, authority: Authority, ours: Identity
) -> None:
    house = open_house(tls=settings(ours, authority))
    other = Authority(tmp_path / "other", "Other Authority")
    with pytest.raises(AssociationEnded, match="certificate is not accepted: unable to get local issuer"):
        call(house, TlsConfig(ca=str(other.certificate)))
    with pytest.raises(AssociationEnded, match="certificate is not accepted"):
        call(house, TlsConfig())


def test_an_expired_certificate_is_told_on_both_sides(
    open_house: Open, authority: Authority, expired: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    house = open_house(tls=settings(expired, authority))
    wait_for(lambda: "expired.pem expired on " in caplog.text)
    with pytest.raises(AssociationEnded, match="not accepted: certificate has expired"):
        call(house, TlsConfig(ca=str(authority.certificate)))


@pytest.mark.peer("dcmtk")
def test_moved_to_a_station_that_speaks_tls(
    open_house: Open, tmp_path: Path, authority: Authority, ours: Identity, station: Identity
) -> None:
    port, folder = free_port(), tmp_path / "there"
    folder.mkdir()
    words = ["+tls", str(station.key), str(station.certificate), "+cf", str(authority.certificate)]
    process = subprocess.Popen(["storescp", *words, "-B", "-od", str(folder), str(port)])
    try:
        wait_for(lambda: answers(port))
        house = open_house(
            callers=(Peer("TESTER", "127.0.0.1"), Peer("DEST", "127.0.0.1", port, tls=True)),
            tls=settings(ours, authority, required=False),
        )
        item = ct_series(1, rows=512, columns=512)[0]
        assert house.client.store([item]) == {item.instance: 0}
        last, _ = house.client.move(identifier("STUDY", StudyInstanceUID=item.study), "DEST")
        assert (last.Status, last.NumberOfCompletedSuboperations) == (0, 1)
        assert [one.read_bytes()[-len(item.dataset) :] for one in folder.iterdir()] == [item.dataset]
    finally:
        process.terminate()
        process.wait(30)


def answers(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("required", [True, False])
def test_callers_without_tls(open_house: Open, authority: Authority, ours: Identity, required: bool) -> None:  # noqa: FBT001
    house = open_house(tls=settings(ours, authority, required=required))
    with Raw(socket.create_connection(("127.0.0.1", house.port), timeout=30)) as peer:
        if required:
            with pytest.raises((AssertionError, ConnectionError)):
                peer.associate()
        else:
            peer.associate()
            assert peer.echo() == 0


def test_old_versions_are_refused(open_house: Open, authority: Authority, ours: Identity) -> None:
    house = open_house(tls=settings(ours, authority))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", house.port), timeout=30) as plain,
        pytest.raises(OSError, match=r"(?i)protocol version|reset|alert|eof"),
        context.wrap_socket(plain),
    ):
        pass
    offered = {one["name"] for one in tls.server_context(settings(ours, authority)).get_ciphers()}
    assert not {name for name in offered if not name.startswith(("ECDHE-", "TLS_"))}


def test_a_handshake_that_stands_still_is_ended(
    open_house: Open, authority: Authority, ours: Identity
) -> None:
    house = open_house(tls=settings(ours, authority), acse_timeout=0.5)
    with socket.create_connection(("127.0.0.1", house.port), timeout=30) as sock:
        sock.sendall(bytes.fromhex("160301020001"))
        assert sock.recv(100) == b""


def test_what_cannot_be_used_is_told(tmp_path: Path, authority: Authority, ours: Identity) -> None:
    missing = TlsConfig(str(tmp_path / "no.pem"), str(ours.key))
    with pytest.raises(Unavailable, match="cannot be used: No such file"):
        tls.server_context(missing)
    with pytest.raises(Unavailable, match="cannot be used"):
        tls.server_context(TlsConfig(str(ours.certificate), str(authority.sign("another").key)))
    with pytest.raises(Unavailable, match=r"the authorities in .* cannot be read"):
        tls.server_context(settings(ours, authority, ca=str(tmp_path / "no.pem"), client="required"))


def test_the_dates_of_a_certificate(ours: Identity) -> None:
    der = ssl.PEM_cert_to_DER_cert(ours.certificate.read_text())
    begin, end = certificate.validity(der)
    done = subprocess.run(
        ["openssl", "x509", "-noout", "-enddate", "-in", str(ours.certificate)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = datetime.strptime(done.stdout.strip(), "notAfter=%b %d %H:%M:%S %Y %Z").replace(tzinfo=UTC)
    assert end == told
    assert begin < end
    assert certificate.trouble(ours.certificate).startswith("expires on ")
    for garbage in (b"", b"\x30", der[:40], der[::-1]):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
            certificate.validity(garbage)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('client = "required"\ncertificate = "c"', "client asks for certificates"),
        ('key = "k"', "has no certificate"),
        ('client = "sometimes"', "must be one of"),
    ],
)
def test_settings_that_make_no_sense(text: str, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        load(f"[dimse.tls]\n{text}", {}, {})
