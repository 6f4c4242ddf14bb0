"""The fields of log lines. Lambda writes each line as a JSON object, with the fields at its top level."""


def fields(event: str, **more: object) -> dict[str, object]:
    """Return the `extra` of a log call: the event's name (docs/operate.md lists them) and the line's other fields.

    Field names are camelCase. A field has an id, a number or a code, never input, a token or an error's text (P7).
    """
    return {"event": event, **more}
