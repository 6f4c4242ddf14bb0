"""Webhooks call only public addresses of the internet, however an address is written."""

import ipaddress

import pytest

from chalicelib.domain.webhooks.ip_addresses import is_public, read_address

PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
    *("128.0.0.1", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255"),
    *("192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "52.94.236.248"),
    *("2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "2001:4860:4860::8888", "2600:1f00::1"),
]
NOT_PUBLIC = [
    "0.0.0.0",  # noqa: S104 - an address, but nothing binds to it
    *("0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1"),
    *("127.255.255.254", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1"),
    *("192.0.0.170", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:169.254.169.254", "::127.0.0.1"),
    *("64:ff9b::a9fe:a9fe", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1", "fc00::1", "fd00:ec2::254"),
    *("fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001::1", "2001:10::1", "2001:db8::1"),
    *("2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1", "4000::1", "2606:4700::1111%1"),
]


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_public(text: str) -> None:
    address = read_address(text)
    assert address is not None
    assert is_public(address)


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_other_addresses_are_not_public(text: str) -> None:
    address = read_address(text)
    assert address is not None
    assert not is_public(address)


def test_no_address_that_the_standard_library_calls_private_is_public() -> None:
    """An independent check against the standard library's lists of private, loopback and other ranges."""
    for text in (*PUBLIC, *NOT_PUBLIC):
        address = ipaddress.ip_address(text)
        local = address.is_private or address.is_loopback or address.is_link_local or address.is_multicast
        assert not ((local or address.is_reserved or address.is_unspecified) and is_public(address)), text


@pytest.mark.parametrize(
    "text", ["", "example.com", "127.1", "0x7f.0.0.1", "2130706433", "1.2.3.4.", "[::1]"]
)
def test_other_strings_are_not_addresses(text: str) -> None:
    assert read_address(text) is None
