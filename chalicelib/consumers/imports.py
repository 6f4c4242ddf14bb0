"""The import bucket: a CSV dropped in it becomes links, and its result lies beside it (docs/commands.md)."""

import logging
from typing import Any, Final

from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.consumers.time_left import OutOfTimeError, require_time
from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import AdmitOneError, ConflictError, TryLaterError
from chalicelib.domain.events.event_data import ImportCompleted, ImportFailed
from chalicelib.domain.events.notices import notice
from chalicelib.domain.imports.import_file import ImportFile, Place, place_of, read_import_file
from chalicelib.domain.urls import link_url
from chalicelib.service.events.notify import notify
from chalicelib.service.imports.import_file import import_file
from chalicelib.service.ports import World
from chalicelib.wire.problems import problem

imports = Blueprint(__name__)
log = logging.getLogger(__name__)

_LONGEST_DETAIL: Final = 500  # of a notice; that of a file of bad rows names them all


@imports.lambda_function(name="import_csv")
def consume(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Import each file; answer with those to come again: they go on where they were cut off."""
    again = []
    for record in event["Records"]:
        message_id = record["messageId"]
        try:
            _import(bootstrap.world(), read_import_file(record["body"]), context)
        except (TryLaterError, OutOfTimeError) as error:
            log.warning("message %s is to come again: %s", message_id, type(error).__name__)
            again.append(message_id)
        except Exception as error:  # noqa: BLE001 - what it says may quote the file
            log.error("message %s failed: %s", message_id, type(error).__name__)  # noqa: TRY400
            again.append(message_id)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in again]}


def _import(world: World, file: ImportFile, context: object) -> None:
    cause = Cause(f"import:{file.import_id}", file.import_id)
    place: Place | None = None
    ring, base = world.keyring(), bootstrap.settings().base_url or ""

    def progress(done: int, size: int) -> None:
        log.info("import %s: %d of %d links are made", file.import_id, done, size)
        if done < size:
            require_time(context)

    log.info("import %s: %s", file.import_id, file.key)
    try:
        place = place_of(file.key)
        done = import_file(
            world,
            file,
            place,
            cause,
            url_of=lambda link: link_url(link, ring, base),
            progress=progress,
        )
    except TryLaterError:
        raise
    except AdmitOneError as error:
        _publish_failure(world, file, place, error, cause)
        return
    told = ImportCompleted(
        key=file.key,
        result_key=place.result_key,
        batch_id=done.batch_id,
        rows=done.rows,
        made=done.made,
    )
    log.info("import %s: %d links of %d rows", file.import_id, done.made, done.rows)
    notify(
        world,
        notice(told, cause, world.now(), host_id=place.host_id, event_type_id=place.event_type_id),
    )


def _publish_failure(
    world: World, file: ImportFile, place: Place | None, error: AdmitOneError, cause: Cause
) -> None:
    log.warning("import %s is refused: %s", file.import_id, error.code)
    document = problem(error)
    document.pop("errors", None)  # the result has them, by row; there may be thousands
    if len(document["detail"]) > _LONGEST_DETAIL:
        document["detail"] = error.title
    has_result = place is not None and not isinstance(error, ConflictError)
    told = ImportFailed(
        key=file.key,
        result_key=place.result_key if place is not None and has_result else None,
        problem=document,
    )
    notify(
        world,
        notice(
            told,
            cause,
            world.now(),
            host_id=place.host_id if place else None,
            event_type_id=place.event_type_id if place else None,
        ),
    )
