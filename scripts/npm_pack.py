"""Fetch npm packages as they are pinned in npm_packages.json: `python scripts/npm_pack.py NAME FOLDER`.

The npm client does the fetching, from whichever registry it is set up for; what it brings is believed
only when its SHA-512 is the pinned one. Nothing of a package is installed or run."""

import argparse
import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PINS: Final = Path(__file__).with_name("npm_packages.json")
_PATIENCE_S: Final = 600


class Unobtainable(Exception):
    """The package cannot be had, or is not the pinned one."""


@dataclass(frozen=True, slots=True)
class Package:
    name: str
    version: str
    integrity: str

    @property
    def spec(self) -> str:
        return f"{self.name}@{self.version}"


def pinned(name: str) -> Package:
    entry = json.loads(PINS.read_text())[name]
    return Package(name, entry["version"], entry["integrity"])


def fetch(package: Package, archives: Path) -> Path:
    """The package's archive below `archives`, where it is kept. Raises Unobtainable."""
    archives = archives.resolve()
    archives.mkdir(parents=True, exist_ok=True)
    kept = archives / f"{package.spec.lstrip('@').replace('/', '-').replace('@', '-')}.tgz"
    if kept.exists() and _integrity(kept) == package.integrity:
        return kept
    with tempfile.TemporaryDirectory(dir=archives) as scratch:
        fetched = _packed(package, Path(scratch))
        if _integrity(fetched) != package.integrity:
            raise Unobtainable(f"what npm brings as {package.spec} is not what is pinned in {PINS.name}")
        fetched.replace(kept)
    return kept


def unpack(archive: Path, folder: Path) -> None:
    """What is inside `package/` of the archive, as `folder`; whatever was there is replaced."""
    half = folder.with_name(folder.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    with tarfile.open(archive) as tar:
        # Not extractall: its filters came to Python 3.11 only with 3.11.4, and without them it goes anywhere.
        for member in tar:
            if member.isfile():
                _place(tar, member, half)
    shutil.rmtree(folder, ignore_errors=True)
    (half / "package").replace(folder)
    shutil.rmtree(half)


def _place(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    place = folder / member.name
    if not place.resolve().is_relative_to(folder.resolve()):
        raise Unobtainable(f"the package holds {member.name}, which leads out of its folder")
    content = tar.extractfile(member)
    if content is None:
        raise Unobtainable(f"the package holds no bytes for {member.name}")
    place.parent.mkdir(parents=True, exist_ok=True)
    with content, place.open("wb") as file:
        shutil.copyfileobj(content, file)


def _packed(package: Package, scratch: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise Unobtainable("the npm client is not installed")
    command = [
        npm,
        "pack",
        package.spec,
        "--ignore-scripts",
        "--loglevel=error",
        "--pack-destination",
        str(scratch),
    ]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command with the pinned name
            command, cwd=scratch, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise Unobtainable(f"npm did not bring {package.spec} within {_PATIENCE_S} s") from None
    found = list(scratch.glob("*.tgz"))
    if done.returncode or len(found) != 1:
        raise Unobtainable(f"npm cannot bring {package.spec}: {done.stderr.strip()[-500:]}")
    return found[0]


def _integrity(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    return "sha512-" + base64.b64encode(digest).decode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    package = pinned(arguments.name)
    stamp = arguments.folder / ".integrity"
    if stamp.exists() and stamp.read_text() == package.integrity:
        return
    try:
        unpack(fetch(package, arguments.folder.parent), arguments.folder)
    except Unobtainable as error:
        sys.exit(str(error))
    stamp.write_text(package.integrity)


if __name__ == "__main__":
    main()
