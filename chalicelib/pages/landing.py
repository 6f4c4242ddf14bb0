"""The landing page at the site's root, for visitors without a link."""

from chalicelib.pages.languages import Words
from chalicelib.pages.render import render


def landing_page(root: str, say: Words) -> str:
    """Return the page. It doesn't name any host or event."""
    return render("landing.html", root=root, say=say)
