"""What a restore closes, the setting `BOOKINGS_CLOSED`."""

from enum import StrEnum


class Closing(StrEnum):
    """What is closed while the table is restored.

    With `BOOKINGS`, nobody can book, move, cancel, create or change a link; links can be revoked, and expire. With
    `ALL`, the API, commands, imports and direct functions write nothing, and a schedule only its heartbeat. The
    consumers of events still write.
    """

    NOTHING = "no"
    BOOKINGS = "yes"
    ALL = "all"
