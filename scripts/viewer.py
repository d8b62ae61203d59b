"""Fetch the OHIF viewer and prepare it to be served at /viewer/: `python scripts/viewer.py FOLDER`.

What the package hard-codes as the root of its site becomes wherever it is served from; what reaches
outside is left out; what is text is compressed beside itself, so that nobody compresses it again."""

import argparse
import gzip
import hashlib
import json
import re
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import imagecodecs
from npm_pack import Package, Unobtainable, fetch, pinned, unpack

EDITION: Final = 1
"""Counted up when the preparation changes."""
MANIFEST: Final = "viewer.json"
_LEFT_OUT: Final = re.compile(
    r"(ort|customizations)/.*"  # models that are fetched from elsewhere
    r"|.*\.map|_headers|_redirects|serve\.json|silent-refresh\.html|google\.js|oidc-client\.min\.js"
    r"|(es6-shim|polyfill)\.min\.js"
    r"|index\.html|app-config\.js"  # the archive writes these
    r"|assets/(apple-touch|android-chrome|firefox_app|mstile|coast).*|assets/yandex.*|assets/browserconfig.*"
)
_BLANKED: Final = ("sw.js", "init-service-worker.js")  # a former visit's worker is replaced by nothing
_TEXT: Final = frozenset({".js", ".css", ".svg", ".json", ".wasm", ".html"})
_BROTLI_LEVEL: Final = 5
_HASHED: Final = re.compile(r"(?<![0-9a-f])[0-9a-f]{16}(?![0-9a-f])")
_PUBLIC: Final = '__webpack_require__.p = "/";'
_WHERE: Final = (
    '__webpack_require__.p = globalThis.PUBLIC_URL || new URL("./", globalThis.location.href).href;'
)
_REWRITTEN: Final = (
    (_PUBLIC, _WHERE),
    ("browserImportFunction('/", "browserImportFunction(globalThis.PUBLIC_URL + '"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    package = pinned("@ohif/app")
    if _is_prepared(folder, package):
        return
    try:
        print(f"fetching {package.spec} with npm")
        archive = fetch(package, folder.parent / "npm")
        print(f"preparing it in {folder}")
        prepare(archive, folder, package)
    except Unobtainable as error:
        sys.exit(str(error))


def prepare(archive: Path, folder: Path, package: Package) -> None:
    """`folder` is there at the end, whole, or as it was."""
    source, made = (folder.with_name(f"{folder.name}.{word}") for word in ("source", "made"))
    shutil.rmtree(made, ignore_errors=True)
    unpack(archive, source)
    with ThreadPoolExecutor() as pool:
        known = dict(pool.map(lambda name: _written(source / "dist", made, name), _names(source / "dist")))
    manifest = {**_identity(package), "entry": _entry(source / "dist"), "files": known}
    shutil.copy(source / "LICENSE", made / "LICENSE.txt")
    (made / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True))
    shutil.rmtree(folder, ignore_errors=True)
    made.replace(folder)
    shutil.rmtree(source)


def _identity(package: Package) -> dict[str, Any]:
    return {
        "name": package.name,
        "version": package.version,
        "package": package.integrity,
        "edition": EDITION,
    }


def _is_prepared(folder: Path, package: Package) -> bool:
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        return False
    return bool(manifest.items() >= _identity(package).items())


def _names(dist: Path) -> Iterator[str]:
    for path in sorted(dist.rglob("*")):
        name = path.relative_to(dist).as_posix()
        if path.is_file() and not _LEFT_OUT.fullmatch(name):
            yield name


def _entry(dist: Path) -> dict[str, list[str]]:
    """What the package's own page loads: its scripts and style sheets, in order."""
    page = (dist / "index.html").read_text()
    scripts = re.findall(r'<script defer src="/([^"]+)"', page)
    styles = re.findall(r'<link href="/([^"]+)" rel="stylesheet"', page)
    if not scripts or not styles:
        raise Unobtainable("the page of the package is not what was expected of this version")
    return {"scripts": scripts, "styles": styles}


def _written(dist: Path, made: Path, name: str) -> tuple[str, dict[str, Any]]:
    """Copy one file, in its place and with its compressed forms; returns what is to be known of it."""
    data = _rewritten(name, (dist / name).read_bytes())
    target = made / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    forms = {}
    if target.suffix in _TEXT:
        forms = {
            "br": bytes(imagecodecs.brotli_encode(data, level=_BROTLI_LEVEL)),
            "gz": gzip.compress(data, 6, mtime=0),
        }
    kept = {form: content for form, content in forms.items() if len(content) < len(data)}
    for form, content in kept.items():
        target.with_name(f"{target.name}.{form}").write_bytes(content)
    return name, {
        "digest": hashlib.sha256(data).hexdigest()[:32],
        "forms": sorted(kept),
        "immutable": bool(_HASHED.search(name)),
    }


def _rewritten(name: str, data: bytes) -> bytes:
    if name in _BLANKED:
        return b""
    if name.endswith(".css"):
        return re.sub(rb"url\(/(?!/)", b"url(", data)
    if name == "manifest.json":
        return data.replace(b'"/assets/', b'"assets/')
    if not name.endswith(".js"):
        return data
    for former, latter in _REWRITTEN:
        data = data.replace(former.encode(), latter.encode())
    return data


if __name__ == "__main__":
    main()
