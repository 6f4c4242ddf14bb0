"""The page at the site's root, for whoever comes without a link."""

from chalicelib.pages.languages import Words
from chalicelib.pages.render import render


def front_page(root: str, say: Words) -> str:
    """Return the page. It names no host and no event."""
    return render("front.html", root=root, say=say)
