"""Start the archive as `make run` does: a new data folder gets pydicom's sample files first."""

import argparse
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pydicom
from pydicom.uid import UID

NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


def samples() -> Iterator[Path]:
    """The packaged files that are composite objects, the first of each SOP Instance UID."""
    seen: set[str] = set()
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    for path in sorted(item for item in folder.rglob("*") if item.is_file() and "truncated" not in item.name):
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(NEEDED))
            uids = [str(header.get(keyword, "")) for keyword in NEEDED]
        except (pydicom.errors.InvalidDicomError, AttributeError, ValueError):
            continue  # not a DICOM object: the folder holds other test material too
        if all(UID(uid).is_valid for uid in uids) and uids[1] not in seen:
            seen.add(uids[1])
            yield path


def pacs(arguments: argparse.Namespace, *words: str) -> list[str]:
    places = ("--data", str(arguments.data), "--config", str(arguments.config))
    return [sys.executable, "-m", "pacs", *words, *places]


def bring_samples(arguments: argparse.Namespace) -> None:
    """Import once; an interrupted import is taken up again at the next start."""
    marker = arguments.data.with_name(arguments.data.name + ".samples")
    if arguments.data.exists() and not marker.exists():
        return
    paths = [str(path) for path in samples()]
    print(f"{arguments.data} is new: importing {len(paths)} sample files that come with pydicom", flush=True)
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()
    done = subprocess.run([*pacs(arguments, "import"), *paths], check=False)  # noqa: S603
    if done.returncode:
        print("not every sample could be imported; the archive starts with the others", flush=True)
    marker.unlink()


def suggest(arguments: argparse.Namespace) -> None:
    """What to try; `pacs serve` itself says where everything is."""
    host, _, port = arguments.dimse.rpartition(":")
    print(
        f"\n  try        storescu -aec {arguments.aet} {host} {port} FILE.dcm"
        f"\n             curl http://{arguments.http}/dicom-web/studies",
        flush=True,
    )
    if (arguments.viewer / "viewer.json").is_file():
        print(f"             http://{arguments.http}/viewer/ in a browser, for OHIF", flush=True)


def main() -> None:
    warnings.simplefilter("ignore")  # some samples are odd on purpose, and pydicom remarks on it
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--http", required=True)
    parser.add_argument("--dimse", required=True)
    parser.add_argument("--aet", required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--viewer", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        bring_samples(arguments)
    except KeyboardInterrupt:
        sys.exit(130)
    suggest(arguments)
    if (arguments.viewer / "viewer.json").is_file():
        os.environ.setdefault("PACS_WEB_VIEWER", str(arguments.viewer))
    wires = ("--http", arguments.http, "--dimse", arguments.dimse, "--aet", arguments.aet)
    os.execv(sys.executable, [*pacs(arguments, "serve"), *wires])  # noqa: S606


if __name__ == "__main__":
    main()
