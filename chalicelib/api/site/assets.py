"""`/assets`: static files under names that change with their content, cached forever."""

from chalicelib.api.http.call import Call
from chalicelib.api.http.routing import Reply, Router
from chalicelib.domain.errors import NotFoundError
from chalicelib.pages.assets import asset

assets = Router(__name__)


@assets.on("GET HEAD", "/assets/{name}", answer="text/css")
def get_asset(call: Call) -> Reply:
    """Serve a text file. API Gateway returns a binary file only if the first value of `Accept` matches its type."""
    found = asset(call.path("name"))
    if found is None:
        raise NotFoundError
    content, content_type = found
    headers = {
        "Content-Type": content_type,
        "Cache-Control": "public, max-age=31536000, immutable",
        "Vary": "Accept-Encoding",
    }
    return Reply(200, content.decode(), headers)
