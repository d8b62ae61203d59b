"""The levels of the query/retrieve information model (PS3.4 C.6)."""

from enum import IntEnum


class Level(IntEnum):
    """Ordered from the root: a lower number contains the higher ones."""

    PATIENT = 0
    STUDY = 1
    SERIES = 2
    IMAGE = 3
