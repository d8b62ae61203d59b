"""What npm brings is laid out below the folder that was asked for, and nowhere else."""

import importlib.util
import io
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "npm_pack.py"


@pytest.fixture
def npm_pack(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("npm_pack", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "npm_pack", module)
    spec.loader.exec_module(module)
    return module


def packed(path: Path, *members: tuple[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("package/link")
        link.type = tarfile.SYMTYPE
        link.linkname = "/etc/passwd"
        tar.addfile(link)
    return path


def test_the_files_of_the_package_replace_what_was_there(npm_pack: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "former").touch()
    members = ("package/package.json", b"{}"), ("package/dist/a/b.js", b"let b"), ("else", b"no")
    npm_pack.unpack(packed(tmp_path / "a.tgz", *members), folder)
    files = (path for path in folder.rglob("*") if path.is_file())
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    assert found == {"package.json": b"{}", "dist/a/b.js": b"let b"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tgz", "there"]


@pytest.mark.parametrize("name", ["package/../../out", "../out", "/{outside}/out"])
def test_a_name_that_leads_out_is_refused(npm_pack: ModuleType, tmp_path: Path, name: str) -> None:
    archive = packed(tmp_path / "a.tgz", (name.format(outside=tmp_path), b"mine"))
    with pytest.raises(npm_pack.Unobtainable, match="leads out of its folder"):
        npm_pack.unpack(archive, tmp_path / "there")
    assert not (tmp_path / "out").exists()
