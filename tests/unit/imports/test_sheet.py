"""Links as CSV: what is read, what is rejected with its line, and that no cell becomes a formula."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import pytest
from hypothesis import assume, example, given, strategies as st

from chalicelib.domain.errors import AdmitOneError, CellFault, InvalidRequestError, InvalidValueError
from chalicelib.domain.event_types.event_type import EventSettings, Location, Question
from chalicelib.domain.event_types.offers import Overrides
from chalicelib.domain.event_types.schedules import DateOverride, Interval, Schedule, WeeklyHours
from chalicelib.domain.imports.csv_text import decode_csv, escaped, read_csv, unescaped, write_csv
from chalicelib.domain.imports.sheet import (
    EXPORT_COLUMNS,
    MAX_COLUMNS,
    MAX_FAULTS_PER_ROW,
    Row,
    Sheet,
    checked_rows,
    link_cells,
    read_sheet,
)
from chalicelib.domain.links.link import Link, LinkSettings, Recipient
from chalicelib.domain.text import is_blank
from chalicelib.domain.validation import Rules

NOW: Final = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
EVENT: Final = EventSettings(title="Talk", duration_minutes=30, schedule=Schedule("UTC"))
SIGNS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
RISKY: Final = re.compile(rf"\s*[{re.escape(''.join(SIGNS))}]")
TYPE: Final = "ety_" + "a" * 26


def sheet(text: str) -> Sheet:
    return read_sheet(text, TYPE)


def only(text: str) -> Row:
    (row,) = sheet(text).rows
    return row


def settings_of(text: str) -> LinkSettings:
    row = only(text)
    assert row.faults == ()
    assert row.settings is not None
    return row.settings


def faults_of(text: str) -> list[tuple[int, str | None, str]]:
    """Return the line, column and pointer of every fault, including those of the rules."""
    rows = checked_rows(sheet(text).rows, EVENT, now=NOW)
    return [(fault.line, fault.column, fault.pointer) for row in rows for fault in row.faults]


def rejection_of(text: str) -> CellFault:
    """Return the one fault for which a file is rejected."""
    with pytest.raises((InvalidRequestError, InvalidValueError)) as caught:
        sheet(text)
    (fault,) = caught.value.faults
    assert isinstance(fault, CellFault)
    return fault


# Accepted files


def test_a_row_sets_its_columns_and_leaves_the_rest_at_the_default() -> None:
    assert settings_of("label\nA") == LinkSettings(label="A")
    assert settings_of("label,maxUsageCount,recipientName\nA,,") == LinkSettings(label="A")


def test_every_column_is_read() -> None:
    """The columns are the fields of `POST /v1/links`, in any order and in upper or lower case."""
    text = (
        "RECIPIENTNAME,recipientEmail,recipientEnforce,label,externalId,metadata.crm id,metadata.Team,"
        "maxUsageCount,expiresAt,notBefore,restoreUseOnCancel,title,durationMinutes,slotIntervalMinutes,"
        "bufferBeforeMinutes,bufferAfterMinutes,minimumNoticeMinutes,locationKind,locationDetail,schedule,questions\r\n"
        '"Grace ""Amazing"" Hopper", grace@navy.example ,Email,"one, two",x-1,17,Sales,3,2026-12-01T10:00:00+01:00,'
        "2026-11-22T00:00:00Z,TRUE,Short talk,15,5,10,5,60,Video,https://meet.example/x,"
        '"{""timeZone"": ""Europe/Berlin"",'
        ' ""weekly"": [{""days"": [""mon""], ""from"": ""09:00"", ""to"": ""10:00""}]}",'
        '"[{""id"": ""q"", ""label"": ""Why?""}]"\r\n'
    )
    assert settings_of(text) == LinkSettings(
        max_usage_count=3,
        expires_at=datetime(2026, 12, 1, 9, tzinfo=UTC),
        not_before=datetime(2026, 11, 22, tzinfo=UTC),
        recipient=Recipient('Grace "Amazing" Hopper', "grace@navy.example", "email"),
        overrides=Overrides(
            title="Short talk",
            duration_minutes=15,
            locations=(Location("video", "https://meet.example/x"),),
            schedule=Schedule("Europe/Berlin", (WeeklyHours(("mon",), "09:00", "10:00"),)),
            questions=(Question("q", "Why?"),),
            slot_interval_minutes=5,
            buffer_before_minutes=10,
            buffer_after_minutes=5,
            minimum_notice_minutes=60,
        ),
        label="one, two",
        metadata={"crm id": "17", "Team": "Sales"},
        external_id="x-1",
        restore_use_on_cancel=True,
    )


@pytest.mark.parametrize(("cell", "most"), [("", 1), ("5", 5), ("unlimited", None), (" Unlimited ", None)])
def test_the_number_of_uses_is_one_by_default(cell: str, most: int | None) -> None:
    assert settings_of(f"label,maxUsageCount\nA,{cell}").max_usage_count == most


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", ["", "\ufeff", "\n\n"])
def test_files_of_common_spreadsheets_are_read(delimiter: str, end: str, start: str) -> None:
    """In many countries Excel writes semicolons and a byte order mark; old Macs end lines with CR."""
    text = (
        start + delimiter.join(["label", '"metadata.a;b,c"']) + end + delimiter.join(["A", '"x,y;z"']) + end
    )
    found = sheet(decode_csv(text.encode()))
    assert [row.settings for row in found.rows] == [LinkSettings(label="A", metadata={"a;b,c": "x,y;z"})]
    assert found.rows[0].line == (4 if start == "\n\n" else 2)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_excels_sep_line_sets_the_delimiter(end: str) -> None:
    row = only(f"sep=;{end}label;externalId{end}A;x{end}")
    assert (row.line, row.settings) == (3, LinkSettings(label="A", external_id="x"))


def test_line_breaks_in_quoted_cells_are_counted_as_lines() -> None:
    found = sheet('metadata.note,label\r\n"one\r\ntwo",A\r\n\r\nthree,B\r\n')
    assert [(row.line, row.index) for row in found.rows] == [(2, 0), (5, 1)]
    assert found.rows[0].settings == LinkSettings(label="A", metadata={"note": "one\ntwo"})


def test_empty_rows_are_ignored() -> None:
    """Spreadsheets write empty rows below a table, which must not create links."""
    assert [row.settings for row in sheet("label,externalId\nA,\n,\n\n,\nB,\n").rows] == [
        LinkSettings(label="A"),
        LinkSettings(label="B"),
    ]


@pytest.mark.parametrize("blank", [" , ", "\t,\xa0", "\u200b,", "\ufeff,\u3164", '" \n ",""', ",,"])
def test_rows_with_only_invisible_characters_are_ignored(blank: str) -> None:
    """Spaces in a spreadsheet's empty cells must not create links."""
    rows = sheet(f"label,externalId\nA,\n{blank}\nB,\n").rows
    assert [row.settings for row in rows] == [LinkSettings(label="A"), LinkSettings(label="B")]


@pytest.mark.parametrize("header", ["label,externalId,,", "label,externalId, ,\u200b", "label,externalId"])
@pytest.mark.parametrize("more", ["", ",", ", ,"])
def test_empty_columns_at_the_end_are_ignored(header: str, more: str) -> None:
    """Spreadsheets write them."""
    plain = sheet("label,externalId\nA,1\n")
    assert sheet(f"{header}\nA,1{more}\n") == plain


def test_the_tab_delimiter_can_be_given_and_is_detected() -> None:
    """The content type for tab-separated values sets it, whatever other delimiters are in the cells."""
    text = "label\trecipientName\nA, B; C\tDoe, Jane\n"
    for read in (read_csv(text, "\t"), read_csv(text)):
        assert [list(record.cells) for record in read][1] == ["A, B; C", "Doe, Jane"]


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        ("label\nA".encode("utf-16"), "is UTF-16"),
        ("label\nA".encode("utf-16-be"), "NUL"),
        (b"\xfe\xff\0l", "is UTF-16"),
        ("label\nÄ".encode("cp1252"), "is not UTF-8"),
        (b"PK\x03\x04rest", "is a workbook"),
        (b"\xd0\xcf\x11\xe0rest", "is a workbook"),
    ],
)
def test_a_file_in_another_encoding_or_format_gets_a_helpful_error(raw: bytes, detail: str) -> None:
    """The error names the encoding or format and says how to save the file."""
    with pytest.raises(AdmitOneError) as refused:
        decode_csv(raw)
    assert detail in refused.value.detail
    assert "CSV UTF-8" in refused.value.detail


def test_metadata_can_be_one_json_column_and_columns_per_key() -> None:
    text = 'metadata,metadata.b\n"{""a"": [1, null]}",two\n,two'
    assert [row.settings.metadata for row in sheet(text).rows if row.settings] == [
        {"a": [1, None], "b": "two"},
        {"b": "two"},
    ]


def test_the_digest_depends_on_the_cells_not_on_the_notation() -> None:
    """P4: the digest decides whether a retry has the same body, so quotes and line endings don't matter."""
    base = sheet("label,externalId\nA,x").digest
    assert sheet('\nlabel;externalId\r\n"A";"x"\r\n').digest == base
    for other in ("label,externalId\nA,y", "externalId,label\nA,x", "label,externalId\nA,x\nA,x"):
        assert sheet(other).digest != base
    assert read_sheet("label,externalId\nA,x", TYPE[:-1] + "b").digest != base
    assert sheet("label,externalId\nAx,").digest != sheet("label,externalId\nA,x").digest


# Rejected files


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("", 1, None, "empty"),
        ("\n\n", 1, None, "empty"),
        ("label,colour\nA,red", 1, "colour", "'colour' is not a column"),
        ("label,,externalId\nA,,1", 1, None, "no name for column 2"),
        ("label,\nA,B", 2, None, "has 2 cells; the header has 1"),
        ("label,LABEL\nA,B", 1, "label", "'label' twice"),
        ("metadata.a,metadata.a\nA,B", 1, "metadata.a", "twice"),
        ("metadata.\nA", 1, "metadata.", "not a column"),
        ("label,externalId\nA", 2, None, "has 1 cells; the header has 2"),
        ("label\nA,B", 2, None, "has 2 cells; the header has 1"),
        ('label\nA\n"B', 3, None, "never closed"),
        ('label\n"A"B\n', 2, None, "closing quote"),
        ("label\nA\n" + "x" * 200_000, 3, None, "field larger"),
        (",".join(f"metadata.{n}" for n in range(MAX_COLUMNS + 1)) + "\n", 1, None, "columns"),
        ("label\n", 1, None, "at least one row"),
        ("label\n" + "A\n" * 1001, 1002, None, "at most 1000 rows"),
    ],
)
def test_a_malformed_file_is_rejected_with_its_line_and_column(
    text: str, line: int, column: str | None, words: str
) -> None:
    fault = rejection_of(text)
    assert (fault.line, fault.column) == (line, column)
    assert words in fault.detail


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"label\nGr\xfc\xdfe\n", 2),  # Latin-1
        ("label\nGr\ufffde\n".encode(), 2),  # API Gateway's replacement for invalid bytes
        ("label\nA\n".encode("utf-16"), 1),
        ("label\nA\n".encode("utf-16-le"), 1),
        (b"label\nA\nB\0\n", 3),
    ],
)
def test_invalid_utf8_is_rejected_with_its_line(raw: bytes, line: int) -> None:
    with pytest.raises(InvalidRequestError, match="UTF-8") as caught:
        decode_csv(raw)
    (fault,) = caught.value.faults
    assert isinstance(fault, CellFault)
    assert fault.line == line


@pytest.mark.parametrize(
    ("column", "cell", "pointer"),
    [
        ("recipientEnforce", "always", "/recipient/enforce"),
        ("recipientEnforce", "email", "/recipient/email"),  # a lock without an address
        ("recipientEmail", "not an address", "/recipient/email"),
        ("recipientName", "x" * 201, "/recipient/name"),
        ("label", "  ", "/label"),
        ("label", "a\x07b", "/label"),
        ("externalId", "ä", "/externalId"),
        ("maxUsageCount", "many", "/maxUsageCount"),
        ("maxUsageCount", "1.5", "/maxUsageCount"),
        ("maxUsageCount", "0", "/maxUsageCount"),
        ("maxUsageCount", "9999999", "/maxUsageCount"),
        ("maxUsageCount", "٣", "/maxUsageCount"),
        ("expiresAt", "tomorrow", "/expiresAt"),
        ("expiresAt", "2026-12-01T10:00:00", "/expiresAt"),  # no offset
        ("expiresAt", "2026-11-21T09:00:00Z", "/expiresAt"),  # now
        ("expiresAt", "9999-12-31T23:59:59-14:00", "/expiresAt"),
        ("notBefore", "1999-12-31T23:59:59Z", "/notBefore"),
        ("restoreUseOnCancel", "yes", "/restoreUseOnCancel"),
        ("metadata", "{", "/metadata"),
        ("metadata", "[]", "/metadata"),
        ("metadata", '{"a":' + "[" * 100_000, "/metadata"),
        ("metadata", '{"a": 1' + "0" * 5000 + "}", "/metadata"),
        ("metadata", '{"a": "' + "x" * 2050 + '"}', "/metadata"),
        ("metadata.a", "x" * 2050, "/metadata"),
        ("title", "  ", "/overrides/title"),
        ("durationMinutes", "7", "/overrides/durationMinutes"),
        ("durationMinutes", "half an hour", "/overrides/durationMinutes"),
        ("slotIntervalMinutes", "1445", "/overrides/slotIntervalMinutes"),
        ("bufferBeforeMinutes", "-5", "/overrides/bufferBeforeMinutes"),
        ("bufferAfterMinutes", "3", "/overrides/bufferAfterMinutes"),
        ("minimumNoticeMinutes", "525605", "/overrides/minimumNoticeMinutes"),
        ("locationKind", "moon", "/overrides/locations/0/kind"),
        ("locationDetail", "here", "/overrides/locations/0/detail"),  # without a kind
        ("locations", '[{"kind": "moon"}]', "/overrides/locations"),
        ("locations", '[{"kind": "phone", "detail": "' + "1" * 501 + '"}]', "/overrides/locations/0/detail"),
        ("schedule", '{"timeZone": "Mars/Olympus"}', "/overrides/schedule/timeZone"),
        ("schedule", '{"zone": "UTC"}', "/overrides/schedule"),
        ("questions", '[{"id": "q", "label": "Which?", "kind": "choice"}]', "/overrides/questions/0/options"),
        ("title", "x" * 2050, "/overrides"),
        ("eventTypeId", "ety_" + "b" * 26, "/eventTypeId"),
    ],
)
def test_an_invalid_cell_is_reported_with_line_column_and_pointer(
    column: str, cell: str, pointer: str
) -> None:
    text = write_csv([[column, "metadata.zz"], ["", "fine"], [cell, "x"]])
    found = faults_of(text)
    expected = "recipientEmail" if pointer == "/recipient/email" else column  # the column to fix
    assert (3, expected, f"/items/1{pointer}") in found
    assert {line for line, _, _ in found} == {3}


def test_all_faults_are_reported_at_once() -> None:
    text = "label,recipientEmail,durationMinutes\nA,a@b.example,30\n ,nobody,x\nB,nobody,7\n"
    assert faults_of(text) == [
        # The rules are not checked for a row with an unreadable cell.
        (3, "durationMinutes", "/items/1/overrides/durationMinutes"),
        (4, "recipientEmail", "/items/2/recipient/email"),
        (4, "durationMinutes", "/items/2/overrides/durationMinutes"),
    ]


def test_the_faults_of_one_row_are_limited() -> None:
    names = [name for name in EXPORT_COLUMNS if name.endswith(("Minutes", "At", "Count", "Enforce", "Kind"))]
    unread = ["x" * 1000] * len(names)
    broken = ["3" if name.endswith("Minutes") else "" for name in names]
    for row in checked_rows(
        sheet(write_csv([[*names, "label"], [*unread, "A"], [*broken, " "]])).rows, EVENT, now=NOW
    ):
        assert len(row.faults) == MAX_FAULTS_PER_ROW
    (row,) = sheet(write_csv([["schedule"], ['{"%s": 1}' % ("x" * 3000)]])).rows
    assert 0 < len(row.faults[0].detail) <= 200


def test_contradicting_cells_are_rejected() -> None:
    text = 'locationKind,locations,metadata.a,metadata\nphone,[],x,"{""a"": 1}"\n'
    assert [(column, pointer) for _, column, pointer in faults_of(text)] == [
        ("locations", "/items/0/overrides/locations"),
        ("metadata.a", "/items/0/metadata/a"),
    ]


# Formulas


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("before", ["", " ", "'", "''", "' ", "\ufeff"])
def test_a_possible_formula_is_written_as_text_and_read_back_unchanged(sign: str, before: str) -> None:
    """As OWASP recommends against CSV injection, an apostrophe makes the cell text; reading removes only that one."""
    cell = f"{before}{sign}cmd|' /C calc'!A0"
    assert escaped(cell) == f"'{cell}"
    assert unescaped(escaped(cell)) == cell


@pytest.mark.parametrize("cell", ["Ada", "'tis", "O'Neil", "1-2", "a=b", "", "''", "“=”"])
def test_other_text_is_written_unchanged(cell: str) -> None:
    assert escaped(cell) == unescaped(cell) == cell


@given(st.lists(st.lists(st.text(), min_size=1, max_size=4), min_size=1, max_size=4))
@example([["=1+1", "a;b,c\td"], ['"', "\r\n=1"]])
def test_no_written_cell_is_a_formula_and_each_is_quoted(rows: list[list[str]]) -> None:
    """Quotes keep a cell together, whatever delimiter a spreadsheet assumes."""
    text = write_csv(rows)
    cells = [cell for row in csv.reader(io.StringIO(text, newline=""), strict=True) for cell in row]
    assert not any(RISKY.match(cell) for cell in cells)
    assert cells == [escaped(cell) for row in rows for cell in row]
    assert re.fullmatch(r'(?:"(?:[^"]|"")*"(?:,"(?:[^"]|"")*")*\r\n)*', text)


@given(st.text())
@example("'=")
@example("'' =")
def test_escaping_formulas_is_reversible(cell: str) -> None:
    assert unescaped(escaped(cell)) == cell


# Properties


@given(st.binary() | st.text().map(lambda text: text.encode(errors="replace")))
@example(b'\xef\xbb\xbfsep=;\r\n"')
@example(b"metadata\n{}")
def test_any_bytes_are_read_or_rejected(raw: bytes) -> None:
    """No upload causes an unexpected exception."""
    for body in (raw, b"label,metadata,expiresAt,locations\n" + raw):
        try:
            rows = sheet(decode_csv(body)).rows
        except AdmitOneError:
            continue
        for row in checked_rows(rows, EVENT, now=NOW):
            assert row.faults or row.settings is not None


@given(st.lists(st.tuples(st.sampled_from(EXPORT_COLUMNS), st.text(max_size=12)), min_size=1, max_size=6))
@example([("maxUsageCount", "1\x1f")])  # white space for `str.strip`, but not for `int`
@example([("maxUsageCount", "\u2003-1\x85")])
def test_any_cells_are_read_or_reported(cells: list[tuple[str, str]]) -> None:
    row = dict(cells)
    try:
        rows = sheet(write_csv([list(row), list(row.values())])).rows
    except InvalidValueError:
        assert all(map(is_blank, row.values()))
        return
    for found in checked_rows(rows, EVENT, now=NOW):
        assert found.faults or found.settings is not None
        assert all(fault.column in EXPORT_COLUMNS for fault in found.faults)


texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffd")
    | st.sampled_from("'=+-@ \",;"),
    min_size=1,
    max_size=20,
).filter(str.strip)
instants = st.datetimes(datetime(2026, 11, 22), datetime(2199, 1, 1)).map(  # noqa: DTZ001 - Hypothesis takes naive limits
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=UTC)
)
fives = st.integers(1, 12).map(lambda n: 5 * n)
jsons = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
schedules = st.builds(
    Schedule,
    st.sampled_from(["UTC", "Europe/Berlin"]),
    st.just((WeeklyHours(("mon", "fri"), "09:00", "24:00"),)),
    st.just((DateOverride(NOW.date(), (Interval("08:00", "09:30"),)),)),
)
questions = st.builds(Question, st.sampled_from(["q", "r-1"]), texts)
overrides = st.builds(
    Overrides,
    title=st.none() | texts,
    duration_minutes=st.none() | fives,
    locations=st.none()
    | st.lists(st.builds(Location, st.sampled_from(["video", "phone"]), texts), max_size=2).map(tuple),
    schedule=st.none() | schedules,
    questions=st.none() | st.lists(questions, max_size=2, unique_by=lambda q: q.id).map(tuple),
    slot_interval_minutes=st.none() | fives,
    buffer_before_minutes=st.none() | fives,
    buffer_after_minutes=st.none() | fives,
    minimum_notice_minutes=st.none() | fives,
)
link_settings = st.builds(
    LinkSettings,
    max_usage_count=st.none() | st.integers(1, 1000),
    expires_at=st.none() | instants,
    not_before=st.none() | st.just(NOW) | st.just(NOW + timedelta(milliseconds=1)),
    recipient=st.none()
    | st.builds(
        Recipient, texts | st.just(""), st.sampled_from(["a@b.example", "-x@ü.example"]), st.just("email")
    )
    | st.just(Recipient()),
    overrides=overrides,
    label=st.none() | texts,
    metadata=st.dictionaries(texts, jsons, max_size=3),
    external_id=st.none() | st.from_regex(r"[!-~]([ -~]{0,9}[!-~])?", fullmatch=True),
    restore_use_on_cancel=st.booleans(),
)


def link_with(settings: LinkSettings) -> Link:
    return Link(
        link_id="lnk_" + "a" * 26,
        host_id="hst_" + "a" * 26,
        event_type_id=TYPE,
        key_id=1,
        settings=settings,
        created_at=NOW,
    )


@given(st.lists(link_settings, min_size=1, max_size=3))
def test_exported_settings_are_imported_unchanged(settings: list[LinkSettings]) -> None:
    """Every setting survives an export and an import, including text that looks like a formula."""
    rules: list[Any] = []
    for one in settings:
        assume(len(msgspec.json.encode(one.metadata)) < 2000)
    links = [link_with(one) for one in settings]
    text = write_csv([EXPORT_COLUMNS, *(link_cells(link, "https://x.example/s/t", NOW) for link in links)])
    rows = list(checked_rows(sheet(decode_csv(text.encode())).rows, EVENT, now=NOW))
    assert [row.settings for row in rows] == settings
    for one, row in zip(settings, rows, strict=True):
        assert {fault.pointer for fault in row.faults} == broken_by(one, row.index, rules)


def broken_by(settings: LinkSettings, index: int, faults: list[Any]) -> set[str]:
    """Return the pointers of the faults in settings, checked without a file."""
    from chalicelib.domain.event_types.offers import check_overrides
    from chalicelib.domain.links.link import check_link_settings

    faults.clear()
    rules = Rules(f"/items/{index}", faults)
    check_link_settings(settings, rules, now=NOW)
    check_overrides(settings.overrides, EVENT, rules.at("overrides"))
    return {fault.pointer for fault in faults[:MAX_FAULTS_PER_ROW]}


def test_an_export_has_the_state_of_a_link() -> None:
    link = msgspec.structs.replace(link_with(LinkSettings(max_usage_count=None)), usage_count=2)
    cells = dict(zip(EXPORT_COLUMNS, link_cells(link, None, NOW), strict=True))
    assert {name: cell for name, cell in cells.items() if cell} == {
        "linkId": link.link_id,
        "hostId": link.host_id,
        "eventTypeId": TYPE,
        "status": "active",
        "usageCount": "2",
        "maxUsageCount": "unlimited",
        "remainingUses": "unlimited",
        "createdAt": "2026-11-21T09:00:00Z",
        "restoreUseOnCancel": "false",
    }


def test_records_have_the_line_they_begin_on() -> None:
    assert [(r.line, list(r.cells)) for r in read_csv('a\n\n"b\nc"\nd\n')] == [
        (1, ["a"]),
        (3, ["b\nc"]),
        (5, ["d"]),
    ]
