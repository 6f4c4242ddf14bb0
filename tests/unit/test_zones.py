"""Zone names: those of IANA, spelled as there. Wall times have their tests in `test_slots`."""

import pytest

from chalicelib.domain.zones import is_zone


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
def test_iana_names_are_zones(name: str) -> None:
    """Browsers send these names."""
    assert is_zone(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "europe/berlin",
        "Europe/Bonn",
        "CEST",
        "localtime",
        "Factory",
        "posixrules",
        "posix/UTC",
        "../../etc/passwd",
        "/etc/localtime",
        "UTC\x00",
        "Europe",
    ],
)
def test_other_names_are_not(name: str) -> None:
    """A name from outside is only looked up in a set, so none reads a file or means this machine's own."""
    assert not is_zone(name)
