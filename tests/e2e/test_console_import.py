"""A CSV import in the console: a preview first, then one click creates the links once (P4)."""

import pytest
from playwright.sync_api import Route, expect

from tests.support.browser.console import Console
from tests.support.browser.site import soon

pytestmark = pytest.mark.clock

MIXED = "recipientName;recipientEmail\r\nGrace;grace@invitees.example\r\nEve;not an address\r\n"
GOOD = "label,recipientEmail\nOne,one@invitees.example\nTwo,two@invitees.example\n"


def choose(console: Console, content: str | bytes) -> None:
    """Choose a file with that content."""
    raw = content if isinstance(content, bytes) else content.encode()
    chosen = {"name": "links.csv", "mimeType": "text/csv", "buffer": raw}
    console.dialog.get_by_label("CSV file").set_input_files(chosen)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def opened(console: Console) -> None:
    """Open the import dialog."""
    console.host.event_type(title="Intro call")
    console.sign_in()
    console.button("Import CSV").click()


def test_an_invalid_cell_is_reported_before_any_link_is_created(console: Console) -> None:
    choose(console, MIXED)

    expect(console.dialog).to_contain_text("1 of 2 rows can’t be used")
    row = console.dialog.locator("tr.wrong")
    expect(row).to_have_count(1)
    expect(row.locator("td").nth(2)).to_have_text("not an addressThis is not an email address.")
    expect(row.locator("td").first).to_have_text("3")
    assert console.host.list()["links"] == []

    console.button("Import the good row only").click()
    expect(console.dialog).to_contain_text("1 link created")
    with console.page.expect_download() as coming:
        console.button("Download CSV").click()
    (link,) = console.host.list()["links"]
    assert link["url"] in coming.value.path().read_text()


def test_links_that_nobody_can_book_cause_warnings_before_they_are_created(console: Console) -> None:
    """Each line has its own warnings; the lines can still be imported."""
    choose(console, "label,minimumNoticeMinutes\nOne,\nTwo,525600\n")

    warning = console.dialog.get_by_role("alert")
    expect(warning).to_contain_text("Line 3: Nobody can ever book: the minimum notice (365 days)")
    console.visit.axe_everywhere("import with a warning")
    console.button("Import 2 links").click()
    expect(console.dialog).to_contain_text("2 links created")


def test_a_corrected_file_is_checked_again(console: Console) -> None:
    choose(console, "recipientEmail\nnobody\n")
    expect(console.dialog).to_contain_text("1 of 1 row can’t be used")
    expect(console.dialog.locator("footer button[type=submit]")).to_be_hidden()

    choose(console, GOOD)

    expect(console.dialog).to_contain_text("2 links for Intro call")
    assert console.host.list()["links"] == []
    console.button("Import 2 links").click()
    expect(console.dialog).to_contain_text("2 links created")
    assert {link["label"] for link in console.host.list()["links"]} == {"One", "Two"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("label,colour\nA,red\n", "Line 1, colour"),
        ("label\nA,B\n", "Line 2"),
        (b"label\n\xff\xfe\n", "UTF-8"),
        ("label\n", "at least one row"),
    ],
    ids=["unknown column", "too many cells", "not UTF-8", "no rows"],
)
def test_an_invalid_file_is_rejected_with_a_message_that_names_the_error(
    console: Console, content: str | bytes, said: str
) -> None:
    choose(console, content)

    expect(console.dialog.get_by_role("alert")).to_contain_text(said)
    expect(console.button("Check the file")).to_be_visible()
    assert console.host.list()["links"] == []


def test_a_lost_reply_creates_no_second_set_of_links(console: Console) -> None:
    """P4: every retry has the same key until a response arrives; a new import has a new key, even for the same file."""
    keys: list[str] = []

    def lose(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    console.page.route("**/v1/links/import?**", lose)
    choose(console, GOOD)
    console.button("Import 2 links").click()
    expect(console.dialog.get_by_role("alert")).to_contain_text("can’t be reached")
    console.button("Import 2 links").click()
    expect(console.dialog).to_contain_text("2 links created")
    assert len(console.host.list()["links"]) == 2
    console.button("Done").click()

    console.button("Import CSV").click()
    choose(console, GOOD)
    console.button("Import 2 links").click()
    expect(console.dialog).to_contain_text("2 links created")
    assert len(console.host.list()["links"]) == 4
    assert keys[0] == keys[1] != keys[2]


def test_a_check_without_a_response_is_retried(console: Console) -> None:
    console.page.route("**/import/preview?**", lambda route: route.abort(), times=1)
    choose(console, GOOD)
    expect(console.dialog.get_by_role("alert")).to_contain_text("can’t be reached")

    console.button("Check the file").click()

    expect(console.button("Import 2 links")).to_be_focused()


def test_a_row_that_becomes_invalid_after_the_check_is_reported_and_creates_nothing(console: Console) -> None:
    """P3: an expiry passes between the check and the click."""
    with console.site.ago(hours=2):
        choose(console, f"label,expiresAt\nA,{soon(hours=-1)}\nB,\n")
        expect(console.button("Import 2 links")).to_be_visible()

    console.button("Import 2 links").click()

    expect(console.dialog.get_by_role("alert")).to_contain_text("no longer valid")
    expect(console.dialog.locator("tr.wrong")).to_contain_text("A")
    assert console.host.list()["links"] == []
    console.button("Import the good row only").click()
    expect(console.dialog).to_contain_text("1 link created")
