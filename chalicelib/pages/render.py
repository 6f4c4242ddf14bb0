"""The Jinja environment, and `render`, which fills one template."""

from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from chalicelib.domain.clock import rfc3339
from chalicelib.pages import times
from chalicelib.pages.assets import asset_url
from chalicelib.pages.languages import Words

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def render(template: str, **context: object) -> str:
    """Return the HTML of a template in `templates/`, with every value escaped.

    Raises `jinja2.UndefinedError` if the template uses a name that is not in the context.
    """
    return _environment().get_template(template).render(context)


def moment_html(moment: datetime, zone: str, say: Words, *, local: bool = True) -> "Markup":
    """Return an instant in a zone as a `<time>` element. If `local`, scripts convert it to the visitor's zone."""
    from markupsafe import Markup  # imported here: it comes with Jinja

    words = times.moment_words(moment, zone, say)
    attribute = Markup(" data-local") if local else ""
    return Markup('<time datetime="{}"{}>{}</time>').format(rfc3339(moment), attribute, words)


class Span(Protocol):
    """A start and an end, and the zone to show them in."""

    @property
    def start(self) -> datetime: ...

    @property
    def end(self) -> datetime: ...

    @property
    def zone(self) -> str: ...


def span_html(span: Span, words: str, part: Literal["day", "span", "both"]) -> "Markup":
    """Return the words of a span, its day or its times as a `<time>` element, which scripts rewrite for the visitor."""
    from markupsafe import Markup

    return Markup('<time datetime="{}" data-end="{}" data-zone="{}" data-part="{}">{}</time>').format(
        rfc3339(span.start), rfc3339(span.end), span.zone, part, words
    )


def zone_html(span: Span, words: str) -> "Markup":
    """Return a span's zone in words as an element, which scripts rewrite in the visitor's variant of the language.

    If the offset changes during the span, the times include the offsets and the zone doesn't.
    """
    from markupsafe import Markup

    at = rfc3339(span.start) if times.one_offset(span.start, span.end, span.zone) else ""
    return Markup('<span data-zone="{}" data-at="{}">{}</span>').format(span.zone, at, words)


@lru_cache(maxsize=1)
def _environment() -> "Environment":
    import jinja2  # imported here: it takes 160 ms of a cold start, and JSON requests don't need it

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    environment.globals["asset_url"] = asset_url
    environment.globals["span_html"] = span_html
    environment.globals["zone_html"] = zone_html
    environment.globals["scripted"] = False
    environment.filters["instant"] = rfc3339
    return environment
