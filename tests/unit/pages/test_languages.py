"""Languages: the right one is chosen, each is complete, and dates and places follow Unicode CLDR."""

import json
import re
import string
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from babel import Locale
from babel.core import get_global
from babel.dates import format_date
from hypothesis import given, strategies as st

import chalicelib
from chalicelib.domain.zones import zone_names
from chalicelib.pages import times
from chalicelib.pages.languages import LANGUAGES, Language, Phrase, chosen, language_of, words

CODE = Path(chalicelib.__file__).parent
PHRASES = CODE / "pages" / "phrases"
AREAS = sorted(path.stem for path in (PHRASES / "en").glob("*.json") if path.stem not in {"places", "zones"})
KEY = re.compile(rf"""["']({"|".join(AREAS)})\.([a-z][a-z0-9_.-]*[a-z0-9_])["']""")
# Phrases whose keys are computed, and where.
BY_PATTERN = {
    "pages": [
        r"place\.(video|phone|in_person)",  # places.py
        r"dead\..*",  # invitee.py, by the reason
        r"problem\..*",  # invitee.py, by the status
        r"fault\.answer-(choice|long)",  # invitee_router.py
    ],
    "mails": [r"(confirmed|moved|cancelled)(\.subject)?", r"host\..*"],  # mail.py, by what happened
    "times": [r"area\..*"],  # times.py
}


def phrases(language: str, area: str) -> dict[str, Phrase]:
    found: dict[str, Phrase] = json.loads((PHRASES / language / f"{area}.json").read_text())
    return found


def texts(phrase: Phrase) -> Iterator[str]:
    yield from (
        phrase.values() if isinstance(phrase, dict) else [phrase] if isinstance(phrase, str) else phrase
    )


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("de", "de"),
        ("de-AT", "de"),
        ("DE-at;q=0.9, en;q=0.8", "de"),
        ("en;q=0.8, de;q=0.9", "de"),
        ("fr-CA, fr;q=0.9, en;q=0.8", "fr"),
        ("ja", "ja"),
        ("ja-Jpan-JP-x-lvariant-JP", "ja"),
        ("es-419", "es"),
        ("pl, cs;q=0.9", "en"),
        ("pl, es;q=0.1", "es"),
        ("*", "en"),
        ("pl, *", "en"),
        ("en;q=0, *", "de"),
        ("de;q=0", "en"),
        ("fr;q=0, es;q=0.001", "es"),
        ("es, de", "es"),
        ("de;q=1.000, es", "de"),
        ("de; q=0.5 , fr ; q=0.7", "fr"),
        ("deu", "en"),
        ("de;q=2, fr;q=0.1", "fr"),
        ("de;q=1.5, fr;q=0.1", "fr"),
        ("de;q=0.1234, fr;q=0.1", "fr"),
        ("de;q=, fr;q=0.1", "fr"),
        ("de;q=nan, fr;q=0.1", "fr"),
        (",,;q=1,=,;;, ja", "ja"),
        ("en-US,en;q=0.9" + ",xx" * 9999 + ",de", "en"),
    ],
)
def test_the_language_is_the_browsers_most_preferred_one(header: str | None, language: Language) -> None:
    """As RFC 9110 §12.5.4 defines `Accept-Language`."""
    assert chosen(header) == language


@given(st.text() | st.from_regex(r"[a-z*;q=0-9., -]{0,80}", fullmatch=True))
def test_any_header_chooses_a_language(header: str) -> None:
    assert chosen(header) in LANGUAGES


def test_an_unknown_stored_language_is_english() -> None:
    assert [language_of(code) for code in ("ja", "xx", "", "de-AT")] == ["ja", "en", "en", "en"]


@pytest.mark.parametrize("area", AREAS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phrase_exists_in_every_language_with_the_same_placeholders(
    language: Language, area: str
) -> None:
    english, theirs = phrases("en", area), phrases(language, area)
    assert theirs.keys() == english.keys()
    for key, phrase in english.items():
        assert type(theirs[key]) is type(phrase), key
        wanted = set().union(*map(placeholders, texts(phrase)))
        for text in texts(theirs[key]):
            assert text.strip(), key
            assert placeholders(text) <= wanted, key
        assert "{n}" in json.dumps(theirs[key]) or set().union(
            *map(placeholders, texts(theirs[key]))
        ) >= wanted - {"n"}, key
        if isinstance(phrase, dict):
            forms = {"other"} if language == "ja" else {"one", "other"}
            assert theirs[key].keys() == forms, key  # type: ignore[union-attr] # of the same type, see above
            left_out = [wanted - placeholders(text) for text in texts(theirs[key])]
            assert all(names <= {"n"} for names in left_out), key
        if isinstance(phrase, list):
            assert len(theirs[key]) == len(phrase), key


def test_every_language_has_the_same_files() -> None:
    assert {path.name for path in PHRASES.iterdir()} == set(LANGUAGES)
    assert {tuple(sorted(p.name for p in (PHRASES / language).iterdir())) for language in LANGUAGES} == {
        tuple(sorted(f"{area}.json" for area in [*AREAS, "places", "zones"]))
    }


def test_the_code_uses_exactly_the_phrases_that_exist() -> None:
    said: dict[str, set[str]] = {area: set() for area in AREAS}
    sources = [*CODE.rglob("*.py"), *CODE.rglob("*.html")]
    for source in sources:
        for area, name in KEY.findall(source.read_text()):
            said[area].add(name)
    for area in AREAS:
        known = phrases("en", area).keys()
        assert said[area] - known <= {"dead", "problem", "area", "place", "fault"}, area
        unsaid = known - said[area]
        patterns = [re.compile(pattern) for pattern in BY_PATTERN.get(area, [])]
        assert [key for key in sorted(unsaid) if not any(p.fullmatch(key) for p in patterns)] == [], area


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_unknown_key_or_a_missing_value_is_an_error(language: Language) -> None:
    say = words(language)
    for wrong in ("pages.no-such-phrase", "nowhere.name", "name", "times.months", "times.hours"):
        with pytest.raises(KeyError):
            say(wrong)
    with pytest.raises(KeyError):
        say("pages.invites")
    with pytest.raises(KeyError):
        say.count("pages.name", 1)
    with pytest.raises(KeyError):
        say.list("pages.name")


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_have_the_right_plural_form(language: Language) -> None:
    plural = Locale.parse(language).plural_form
    for n in (0, 1, 2, 3, 5, 11, 21, 100, 101, 999_999):
        forms = words(language).forms("times.minutes")
        assert words(language).count("times.minutes", n) == forms[plural(n)].format(n=n)


def test_markup_in_a_phrase_is_kept_and_values_are_escaped() -> None:
    from markupsafe import Markup

    said = words("en").html("pages.invites", host="<b>")
    assert said == "&lt;b&gt; invites you to book"
    assert "<i>" in words("en").html("pages.good-until", until=Markup("<i>then</i>"))


# Dates, times and places, compared with Babel's copy of Unicode CLDR


def locale(language: Language) -> Locale:
    return Locale.parse("en_GB" if language == "en" else language)


PATTERNS = {  # CLDR's patterns, except the comma in British dates
    "en": ("EEEE d MMMM y", "EEEE d MMMM", "MMMM y"),
    "de": ("EEEE, d. MMMM y", "EEEE, d. MMMM", "MMMM y"),
    "fr": ("EEEE d MMMM y", "EEEE d MMMM", "MMMM y"),
    "es": ("EEEE, d 'de' MMMM 'de' y", "EEEE, d 'de' MMMM", "MMMM 'de' y"),
    "ja": ("y年M月d日EEEE", "M月d日EEEE", "y年M月"),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_dates_follow_cldr(language: Language) -> None:
    say, there = words(language), locale(language)
    full, of_year, month = PATTERNS[language]
    if language != "en":
        assert full == str(there.date_formats["full"])
    for n in range(0, 366, 5):
        day = date(2026, 1, 1) + timedelta(days=n)
        assert times.day_words(day, say) == format_date(day, full, there)
        assert times.weekday_words(day, say) == format_date(day, of_year, there)
        assert times.month_words(day, say) == format_date(day, month, there)


@pytest.mark.parametrize("language", LANGUAGES)
def test_clock_times_follow_cldr(language: Language) -> None:
    from babel.dates import format_time

    pattern = str(locale(language).datetime_skeletons["Hm"])
    for minute in (0, 5, 9 * 60, 13 * 60 + 30, 23 * 60 + 59):
        moment = datetime(2026, 11, 21, minute // 60, minute % 60, tzinfo=UTC)
        assert times.clock_words(moment, words(language)) == format_time(
            moment, pattern, locale=locale(language)
        )


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_of_places_follow_cldr(language: Language) -> None:
    aliases: dict[str, str] = dict(get_global("zone_aliases"))
    known = {zone: data["city"] for zone, data in locale(language).time_zones.items() if data.get("city")}
    for zone in zone_names():
        named = words(language).place(zone)
        if named is not None:
            canonical = aliases.get(zone, zone)
            same = {zone, canonical, *(alias for alias, target in aliases.items() if target == canonical)}
            assert named in {known.get(one) for one in same}, zone
    assert words(language).place("Europe/Kiev" if language == "en" else "Europe/Vienna")


def test_old_zone_names_are_shown_with_current_names() -> None:
    """Browsers send old names; for example, Chromium in India sends `Asia/Calcutta`."""
    moment, say = datetime(2026, 11, 23, 8, tzinfo=UTC), words("en")
    for old, place, zone in (
        ("Asia/Calcutta", "Kolkata", "India Standard Time, UTC+5:30"),
        ("Asia/Saigon", "Ho Chi Minh City", "Indochina Time, UTC+7"),
        ("Europe/Kiev", "Kyiv", "Eastern European Time, UTC+2"),
    ):
        assert times.place_words(old, say) == place
        assert times.zone_words(old, say, [moment]) == zone


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_of_zones_follow_cldr(language: Language) -> None:
    """Nearly all of them: Babel's copy is older than browsers'. tests/e2e compares them with a browser's names."""
    zones = dict(get_global("meta_zones"))
    agree = {
        zone: words(language).zone(zone) in {long.get("generic"), long.get("standard")}
        for zone, meta in zones.items()
        if zone in zone_names() and (long := locale(language).meta_zones.get(meta, {}).get("long"))
    }
    assert len(agree) > 300
    assert sum(agree.values()) > 0.75 * len(agree), [zone for zone, same in agree.items() if not same]
    english = {zone for zone in zone_names() if words("en").zone(zone)}
    assert {zone for zone in zone_names() if words(language).zone(zone)} == english


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_zone_has_a_name_and_is_listed_once(language: Language) -> None:
    say, moment = words(language), datetime(2026, 11, 23, 8, tzinfo=UTC)
    for zone in zone_names():
        assert times.moment_words(moment, zone, say)
    areas = times.zone_areas(zone_names(), "Europe/Berlin", say)
    listed = [zone for area in areas for zone, _ in area.zones]
    assert len(listed) == len(set(listed)) > 400
    assert all(area.name and not area.name.isdigit() for area in areas)
    for area in areas:
        names = [times._sorting(name) for _, name in area.zones]
        assert all(one <= other for one, other in pairwise(names))


@pytest.mark.parametrize(
    ("language", "moment", "span", "duration"),
    [
        (
            "en",
            "Friday 4 December 2026, 09:30 (Central European Time, UTC+1)",
            "09:30 – 11:00",
            "1 hour 30 minutes",
        ),
        (
            "de",
            "Freitag, 4. Dezember 2026, 09:30 Uhr (Mitteleuropäische Zeit, UTC+1)",
            "09:30 – 11:00 Uhr",
            "1 Stunde 30 Minuten",
        ),
        (
            "fr",
            "vendredi 4 décembre 2026 à 09:30 (heure d’Europe centrale, UTC+1)",
            "09:30 – 11:00",
            "1 heure 30 minutes",
        ),
        (
            "es",
            "viernes, 4 de diciembre de 2026, 9:30 (hora de Europa central, UTC+1)",
            "9:30 – 11:00",
            "1 hora 30 minutos",
        ),
        ("ja", "2026年12月4日金曜日 9:30（中央ヨーロッパ時間、UTC+1）", "9:30～11:00", "1時間30分"),
    ],
)
def test_a_moment_a_span_and_a_duration_in_each_language(
    language: Language, moment: str, span: str, duration: str
) -> None:
    say, start = words(language), datetime(2026, 12, 4, 8, 30, tzinfo=UTC)
    assert times.moment_words(start, "Europe/Berlin", say) == moment
    assert times.span_words(start, start + timedelta(minutes=90), "Europe/Berlin", say).times == span
    assert times.duration_words(90, say) == duration


def test_reading_phrases_imports_no_template_engine_or_locale_library() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from chalicelib.pages.languages import words; words('de')('pages.book');"
        "print([name for name in ('jinja2', 'markupsafe', 'babel') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
