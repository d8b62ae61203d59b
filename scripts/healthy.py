"""Whether the roles of a container's supervisor are at work: exit code 0 when they are.

Each role has a process of its own below the supervisor, which starts one that dies again. The two
that listen have to answer as well; that they ask who is calling is an answer.
"""

import argparse
import http.client
import socket
import sys
from pathlib import Path

WAIT_S = 5.0
SERVER_ERROR = 500
ROLES = {"dimse", "web", "worker"}


def parents() -> dict[int, int]:
    """Process id to that of its parent, for all that are alive."""
    found: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in parentheses may hold anything; what follows it is state and parent.
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it has just ended
            continue
        if state != "Z":
            found[int(path.parent.name)] = int(parent)
    return found


def is_below(process: int, ancestor: int, tree: dict[int, int]) -> bool:
    while process > 1 and process != ancestor:
        process = tree.get(process, 0)
    return process == ancestor


def roles_below(ancestor: int) -> set[str]:
    tree = parents()
    found = set()
    for process in tree:
        try:
            name = Path(f"/proc/{process}/comm").read_text().strip()
        except OSError:
            continue
        role = name.removeprefix("pacs ").partition("-")[0]  # as pacs/cli/forked.py names them
        if role in ROLES and is_below(process, ancestor, tree):
            found.add(role)
    return found


def web_answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status < SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def dimse_answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), WAIT_S):
            return True
    except OSError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--below", type=int, default=1, help="process whose roles are meant")
    parser.add_argument("--http", type=int, default=8080, help="port of the web role")
    parser.add_argument("--dimse", type=int, default=11112, help="port of the DIMSE role")
    arguments = parser.parse_args()
    roles = roles_below(arguments.below)
    trouble = [] if roles else ["no role is running"]
    if "web" in roles and not web_answers(arguments.http):
        trouble.append("web does not answer")
    if "dimse" in roles and not dimse_answers(arguments.dimse):
        trouble.append("dimse does not answer")
    sys.exit("; ".join(trouble) or 0)


if __name__ == "__main__":
    main()
