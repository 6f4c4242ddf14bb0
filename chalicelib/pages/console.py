"""The hosts' page: a shell that its modules under `assets/` fill."""

from chalicelib.pages.render import render


def console_page(root: str) -> str:
    """Return the page; `root` is the relative way to the site's root."""
    return render("console.html", root=root)
