"""Mutate the files of a corpus: flip, cut, duplicate, splice or replace bytes."""

from pathlib import Path
from typing import Final

from hypothesis import strategies as st

CORPUS: Final = Path(__file__).with_name("corpus")

NASTY: Final = [
    b"", b"\x00", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r\n", b'"', b"'", b"\\", b"{", b"[" * 2000,
    b"null", b"true", b"-0", b"1e999", b"9" * 400, b"0.1", b"NaN", b"\\ud800", b"\\u0000", b"%00", b"%0d%0a", b"../",
    b"=cmd()", "\u202e".encode(), "\u0430".encode(), "\U0001f4a9".encode(), "İ".encode(), b"9999-12-31T23:59:59Z",
    b"0001-01-01", b"24:00", b"America/../etc", b'"a":1,"a":2', b"<script>", b"{{7*7}}", b"${x}",
]  # fmt: skip


def seeds(kind: str) -> list[bytes]:
    """Return one parser's corpus."""
    return [path.read_bytes() for path in sorted((CORPUS / kind).iterdir())]


@st.composite
def near(draw: st.DrawFn, kind: str) -> bytes:
    """Return a mutation of one of the files, or of the empty input."""
    data = bytearray(draw(st.one_of(st.sampled_from(seeds(kind)), st.binary(max_size=200))))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        until = min(len(data), at + draw(st.integers(0, 12)))
        match draw(st.sampled_from(["flip", "cut", "double", "splice", "nasty"])):
            case "flip" if at < len(data):
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del data[at:until]
            case "double":
                data[at:at] = data[at:until] * draw(st.integers(1, 4))
            case "splice":
                other = draw(st.sampled_from(seeds(kind)))
                data[at:until] = other[draw(st.integers(0, len(other))) :][:40]
            case "nasty":
                data[at:until] = draw(st.sampled_from(NASTY))
    return bytes(data)
