"""Whose turn it is to write, between threads and processes."""

import threading
import time
from pathlib import Path

import pytest

from pacs.db import turn as turn_module
from pacs.db.turn import Turn


def test_who_held_it_long_lets_another_process_go_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When thousands of studies settle, a modality waits for one transaction, and not for one of each
    thread that has some. To the kernel another descriptor is another process."""
    mine, other = Turn(tmp_path / "turn"), Turn(tmp_path / "turn")
    courtesies = []

    def courtesy(_seconds: float) -> None:
        with other:
            courtesies.append(mine._threads.locked())

    monkeypatch.setattr(turn_module, "sleep", courtesy)
    with mine:
        pass
    assert not courtesies, "who was quick goes on"
    with mine:
        time.sleep(0.01)
    assert courtesies == [True]
    assert not mine._threads.locked()
    mine.close()
    other.close()


def test_one_at_a_time_and_given_back_after_trouble(tmp_path: Path) -> None:
    turns = [Turn(tmp_path / "turn") for _ in range(2)]
    inside = most = 0
    changing = threading.Lock()

    def write(turn: Turn) -> None:
        nonlocal inside, most
        for number in range(50):
            try:
                with turn:
                    with changing:
                        inside += 1
                        most = max(most, inside)
                    time.sleep(0.0002)
                    with changing:
                        inside -= 1
                    assert number % 10
            except AssertionError:
                continue

    threads = [threading.Thread(target=write, args=(turn,)) for turn in turns * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert most == 1
    for turn in turns:
        turn.close()
