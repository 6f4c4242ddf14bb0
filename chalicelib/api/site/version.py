"""`GET /v1/version`: the version of the code that responds."""

from chalicelib import __version__
from chalicelib.api.http.call import Call
from chalicelib.api.http.routing import Reply, Router, json_reply
from chalicelib.wire.responses.answer import Answer

version = Router(__name__)


class VersionAnswer(Answer, frozen=True):
    """The version of the API."""

    version: str


@version.on("GET", "/v1/version", answer=VersionAnswer)
def get_version(call: Call) -> Reply:
    """Return the version. The route requires no API key, because the open API description contains the version too."""
    call.query()
    return json_reply(200, VersionAnswer(version=__version__))
