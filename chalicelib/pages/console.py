"""The console, the hosts' page: an empty document that the scripts under `assets/console` fill."""

from chalicelib.pages.render import render


def console_page(root: str) -> str:
    """Return the page; `root` is the relative URL of the site's root."""
    return render("console.html", root=root)
