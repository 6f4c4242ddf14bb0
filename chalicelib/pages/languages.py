"""Choose the language of a page or an email, and read its phrases (`phrases/<language>/<area>.json`)."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec

if TYPE_CHECKING:
    from markupsafe import Markup

Language = Literal["en", "de", "fr", "es", "ja"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)

_FOLDER: Final = Path(__file__).parent / "phrases"
_MAX_RANGES: Final = 50
_RANGE: Final = re.compile(
    r"\s*(\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*)\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?)\s*)?", re.IGNORECASE
)

Phrase = str | list[str] | dict[str, str]
"""A sentence, a list of words, or the forms of a sentence by plural category."""


def chosen(accept_language: str | None) -> Language:
    """Return the language to respond in, from an `Accept-Language` header (RFC 9110 §12.5.4); English by default.

    A regional variant selects its language. Malformed parts are ignored.

    >>> chosen("de-AT, en;q=0.8")
    'de'
    """
    weights: dict[str, float] = {}
    order: list[str] = []
    for part in (accept_language or "").split(",", _MAX_RANGES)[:_MAX_RANGES]:
        found = _RANGE.fullmatch(part)
        if found is None:
            continue
        name, weight = found[1].partition("-")[0].lower(), float(found[2] or 1)
        if weight <= 1:
            weights[name] = max(weight, weights.get(name, 0.0))
            order.append(name)
    others = weights.get("*", 0.0)

    def rank(language: Language) -> tuple[float, int]:
        place = order.index(language) if language in order else len(order)
        return weights.get(language, others), -place

    best = max(LANGUAGES, key=rank)  # if equal, the first in the header, then the first in LANGUAGES
    return best if rank(best)[0] > 0 else "en"


def language_of(code: str) -> Language:
    """Return a stored language code as a `Language`; English for any other code."""
    return next((language for language in LANGUAGES if language == code), "en")


class Words:
    """The phrases of one language: `say("pages.book")`, `say("times.zone", place="Berlin")`.

    A key is `<area>.<name>`; an area's file is read when the first of its phrases is used. An unknown key and a missing
    value raise `KeyError`. Use `count` for a phrase with a number, `html` for a phrase with markup.
    """

    def __init__(self, language: Language) -> None:
        self.language: Final = language

    def __call__(self, key: str, /, **values: object) -> str:
        """Return a phrase with its placeholders filled."""
        return self._form(key).format(**values)

    def count(self, key: str, n: int, /, **values: object) -> str:
        """Return the plural form of a phrase for the whole number `n`, which also replaces the placeholder `{n}`."""
        forms = self._found(key)
        if not isinstance(forms, dict):
            raise KeyError(f"{key} has no plural forms")
        return forms.get(_category(self.language, n), forms["other"]).format(n=n, **values)

    def list(self, key: str, /) -> Sequence[str]:
        """Return a list of words."""
        found = self._found(key)
        if not isinstance(found, list):
            raise KeyError(f"{key} is not a list")
        return found

    def html(self, key: str, /, **values: object) -> "Markup":
        """Return a phrase as markup. Values that are markup are kept, all others are escaped."""
        from markupsafe import Markup  # imported here: it comes with Jinja, which only pages need

        return Markup("{}").format(self._form(key)).format(**values)

    def html_count(self, key: str, n: int, /, **values: object) -> "Markup":
        """Return the plural form of a phrase for the whole number `n`, as markup."""
        from markupsafe import Markup

        forms = self.forms(key)
        return (
            Markup("{}").format(forms.get(_category(self.language, n), forms["other"])).format(n=n, **values)
        )

    def forms(self, key: str, /) -> Mapping[str, str]:
        """Return all forms of a phrase, so that a script can choose one. A phrase without a number has only `other`."""
        found = self._found(key)
        return found if isinstance(found, dict) else {"other": self._form(key)}

    def place(self, zone: str) -> str | None:
        """Return this language's name for the place that an IANA zone is named after, or None if it has no name."""
        return _area(self.language, "places").get(zone)  # type: ignore[return-value] # a test checks that it is text

    def zone(self, zone: str) -> str | None:
        """Return this language's name for an IANA time zone, e.g. `Central European Time`, or None if there is none."""
        return _zones(self.language).get(zone)

    def _form(self, key: str) -> str:
        found = self._found(key)
        if not isinstance(found, str):
            raise KeyError(f"{key} is not a single phrase")
        return found

    def _found(self, key: str) -> Phrase:
        area, _, name = key.partition(".")
        return _area(self.language, area)[name]


@lru_cache(maxsize=len(LANGUAGES))
def words(language: Language) -> Words:
    """Return a language's phrases."""
    return Words(language)


@lru_cache
def _area(language: Language, area: str) -> Mapping[str, Phrase]:
    path = _FOLDER / language / f"{area}.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Phrase])
    except FileNotFoundError:
        raise KeyError(f"there is no file of phrases for {area}") from None


@lru_cache(maxsize=len(LANGUAGES))
def _zones(language: Language) -> Mapping[str, str]:
    """Return the name of each IANA zone. The file is the reverse: it maps each name to its zones."""
    return {zone: name for name, zones in _area(language, "zones").items() for zone in str(zones).split()}


def _category(language: Language, n: int) -> str:
    """Return the CLDR plural category of a whole number under a million."""
    match language:
        case "ja":
            return "other"
        case "fr":
            return "one" if n in (0, 1) else "other"
        case _:
            return "one" if n == 1 else "other"
