"""The import bucket: create links from each CSV file put into it, and write a result file (docs/commands.md)."""

import logging
from typing import Any, Final

from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.consumers.batch import Message, handle_each
from chalicelib.consumers.time_left import require_time
from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import AdmitOneError, ConflictError, TryLaterError
from chalicelib.domain.events.event_data import ImportCompleted, ImportFailed
from chalicelib.domain.events.notices import notice
from chalicelib.domain.imports.import_file import ImportFile, Place, place_of, read_import_file
from chalicelib.domain.urls import link_url
from chalicelib.logs import correlate, fields
from chalicelib.service.events.notify import notify
from chalicelib.service.imports.import_file import import_file
from chalicelib.service.ports import World
from chalicelib.wire.problems import problem

imports = Blueprint(__name__)
log = logging.getLogger(__name__)

_MAX_DETAIL: Final = 500  # characters of a notice's detail, which may otherwise list thousands of rows


@imports.lambda_function(name="import_csv")
def consume(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Import each file in a batch of messages; return the messages to retry. A retry continues where a file stopped."""
    world, base_url = bootstrap.world(), bootstrap.settings().base_url or ""

    def import_one(message: Message) -> None:
        world.require_writable()
        _import(world, base_url, read_import_file(message["body"]), context)

    return handle_each(event["Records"], import_one, now=world.now)


def _import(world: World, base_url: str, file: ImportFile, context: object) -> None:
    correlate(file.import_id)
    cause = Cause(f"import:{file.import_id}", file.import_id)
    place: Place | None = None
    ring = world.keyring()

    def progress(done: int, size: int) -> None:
        made = fields("import-progressed", importId=file.import_id, links=done, size=size)
        log.info("import %s: %d of %d links exist", file.import_id, done, size, extra=made)
        if done < size:
            require_time(context)

    try:
        place = place_of(file.key)
        # P7: not the key, which ends with the name of the uploader's file.
        started = fields(
            "import-started",
            importId=file.import_id,
            hostId=place.host_id,
            eventTypeId=place.event_type_id,
        )
        log.info("import %s started", file.import_id, extra=started)
        done = import_file(
            world,
            file,
            place,
            cause,
            url_of=lambda link: link_url(link, ring, base_url),
            progress=progress,
        )
    except TryLaterError:
        raise
    except AdmitOneError as error:
        _publish_failure(world, file, place, error, cause)
        return
    completed = ImportCompleted(
        key=file.key,
        result_key=place.result_key,
        batch_id=done.batch_id,
        rows=done.rows,
        made=done.made,
    )
    ended = fields("import-completed", importId=file.import_id, links=done.made, rows=done.rows)
    log.info("import %s completed: %d links, %d rows", file.import_id, done.made, done.rows, extra=ended)
    notify(
        world,
        notice(completed, cause, world.now(), host_id=place.host_id, event_type_id=place.event_type_id),
    )


def _publish_failure(
    world: World, file: ImportFile, place: Place | None, error: AdmitOneError, cause: Cause
) -> None:
    """Publish why a file was not imported."""
    rejected = fields("import-rejected", importId=file.import_id, problem=error.code)
    log.warning("import %s rejected: %s", file.import_id, error.code, extra=rejected)
    document = problem(error)
    document.pop("errors", None)  # they are in the result file, by row; there may be thousands
    if len(document["detail"]) > _MAX_DETAIL:
        document["detail"] = error.title
    has_result = place is not None and not isinstance(error, ConflictError)
    failed = ImportFailed(
        key=file.key,
        result_key=place.result_key if place is not None and has_result else None,
        problem=document,
    )
    notify(
        world,
        notice(
            failed,
            cause,
            world.now(),
            host_id=place.host_id if place else None,
            event_type_id=place.event_type_id if place else None,
        ),
    )
