"""Callers of one port, counted by processes that share nothing else."""

import multiprocessing

from pacs.crowd import Crowd, Place, alone


def _come(place: Place) -> None:
    place.begin()
    for _ in range(3):
        place.come()
    place.go()


def test_processes_see_each_others_numbers() -> None:
    crowd = Crowd(2)
    here, there = crowd.place(0), crowd.place(1)
    here.begin()
    here.come()
    assert not here.defers  # the other has not begun yet
    there.begin()
    assert here.defers
    child = multiprocessing.get_context("fork").Process(target=_come, args=(there,))
    child.start()
    child.join()
    assert child.exitcode == 0
    assert not here.defers  # one here, two there
    here.come()
    assert not here.defers
    here.come()
    assert here.defers
    there.begin()  # begun again after its death
    assert not there.defers
    here.go()
    assert here.defers
    there.end()
    assert not here.defers


def test_who_is_alone_defers_to_nobody() -> None:
    place = alone()
    place.begin()
    place.come()
    assert not place.defers
