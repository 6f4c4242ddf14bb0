"""What a release may not change, because a running stack would lose data or callers.

CloudFormation replaces a resource whose name, type or create-only property changes: the new one is empty. The lists of
these properties are those of CloudFormation's resource schemas (docs/adr/0032-releases.md).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

Template = Mapping[str, Any]

CREATE_ONLY: Final[Mapping[str, tuple[str, ...]]] = {
    "AWS::DynamoDB::Table": ("TableName", "KeySchema", "ImportSourceSpecification"),
    "AWS::Events::Archive": ("ArchiveName", "SourceArn"),
    "AWS::Events::EventBus": ("Name",),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::S3::Bucket": ("BucketName", "BucketNamePrefix", "BucketNamespace"),
    "AWS::SES::ConfigurationSet": ("Name",),
    "AWS::SNS::Topic": ("FifoTopic", "TopicName"),
    "AWS::SQS::Queue": ("FifoQueue", "QueueName"),
    "AWS::SecretsManager::Secret": ("Name",),
}
"""The lasting resources' types, with the properties whose change replaces them."""

CALLED: Final[Mapping[str, tuple[str, ...]]] = {
    "AWS::Serverless::Api": (),
    "AWS::Serverless::Function": ("FunctionName",),
}
"""Resources that have no data, but an address: links contain the API's, and callers keep a function's ARN.

Only functions that an output names are called from outside.
"""

LOSING: Final[Mapping[str, Mapping[str, str]]] = {
    "AWS::DynamoDB::Table": {
        "DeletionProtectionEnabled": "Nothing would prevent the deletion of the table.",
        "PointInTimeRecoverySpecification": "The table could no longer be restored to an earlier moment.",
    },
    "AWS::SecretsManager::Secret": {
        "GenerateSecretString": "Secrets Manager may generate another key, which makes every link invalid.",
    },
    "AWS::Serverless::Api": {"StageName": "The URL of every link contains it."},
}
"""Properties whose change replaces nothing, and loses something all the same."""

_MAY_BE_REMOVED: Final = frozenset({"AWS::Logs::LogGroup", "AWS::Serverless::Function"})
"""Types of resources that a release may remove or rename if its changelog says so."""

_KEEPING: Final = ("Delete", "RetainExceptOnCreate", "Retain")
"""CloudFormation's policies, from the one that keeps least."""

_ATTRIBUTES: Final = {
    "deletion": "DeletionPolicy",
    "replacement": "UpdateReplacePolicy",
    "condition": "Condition",
}

_CONSTRAINTS: Final = (
    "AllowedPattern",
    "AllowedValues",
    "Default",
    "MaxLength",
    "MaxValue",
    "MinLength",
    "MinValue",
    "Type",
)


def lasting_part(template: Template) -> dict[str, Any]:
    """Return the part of a packaged template that the next releases may not change."""
    called = set(_names_in(template["Outputs"]))
    lasting = {
        name: _lasting_resource(resource)
        for name, resource in sorted(template["Resources"].items())
        if resource["Type"] in CREATE_ONLY or (resource["Type"] in CALLED and name in called)
    }
    return {
        "resources": lasting,
        "conditions": _conditions_of(lasting, template.get("Conditions", {})),
        "parameters": {
            name: {key: parameter[key] for key in _CONSTRAINTS if key in parameter}
            for name, parameter in sorted(template["Parameters"].items())
        },
        "outputs": sorted(template["Outputs"]),
    }


def refused_changes(before: Template, after: Template, announced: str) -> list[str]:
    """Return why a release with the lasting part `after` can't follow one with `before`; an empty list if it can.

    `announced` is the changelog's text of what the release changes and removes. If that text has its name as code, a
    parameter, an output, a log group or a called function may be removed, and a parameter narrowed.
    """
    return [
        *_refused_resources(before["resources"], after["resources"], announced),
        *_refused_conditions(before.get("conditions", {}), after["conditions"]),
        *_refused_interface(before, after, announced),
    ]


def _conditions_of(lasting: Mapping[str, Any], conditions: Mapping[str, Any]) -> dict[str, Any]:
    """Return the conditions that decide whether lasting resources exist, with those that they refer to."""
    found: dict[str, Any] = {}
    pending = [each["condition"] for each in lasting.values() if "condition" in each]
    while pending:
        name = pending.pop()
        if name not in found:
            found[name] = conditions[name]
            pending += re.findall(r"'Condition': '(\w+)'", str(conditions[name]))
    return dict(sorted(found.items()))


def _lasting_resource(resource: Mapping[str, Any]) -> dict[str, Any]:
    kind, properties = resource["Type"], resource.get("Properties", {})
    fixed = {*CREATE_ONLY.get(kind, ()), *CALLED.get(kind, ()), *LOSING.get(kind, ())}
    lasting: dict[str, Any] = {
        "type": kind,
        "fixed": {name: properties.get(name) for name in sorted(fixed)},
    }
    lasting |= {key: resource[name] for key, name in _ATTRIBUTES.items() if name in resource}
    if kind == "AWS::DynamoDB::Table":
        lasting["table"] = _lasting_table(properties)
    return lasting


def _lasting_table(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "attributes": {
            each["AttributeName"]: each["AttributeType"] for each in properties["AttributeDefinitions"]
        },
        "indexes": {
            each["IndexName"]: {"keys": _keys(each["KeySchema"]), "projection": each["Projection"]}
            for each in [*properties["GlobalSecondaryIndexes"], *properties.get("LocalSecondaryIndexes", ())]
        },
        "stream": properties.get("StreamSpecification", {}).get("StreamViewType"),
        "ttl": properties.get("TimeToLiveSpecification"),
    }


def _refused_resources(before: Mapping[str, Any], after: Mapping[str, Any], announced: str) -> Iterator[str]:
    for name, old in before.items():
        new = after.get(name)
        if _names(announced, name) and old["type"] in _MAY_BE_REMOVED:
            continue
        if new is None:
            yield f"{name} ({old['type']}) is removed or has another name. {_loss(old['type'], name)} Keep it."
        elif new["type"] != old["type"]:
            yield f"{name} is {new['type']}, and was {old['type']}. {_loss(old['type'], name)} Keep its type."
        else:
            yield from _refused_changes_of(name, old, new)


def _refused_changes_of(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(
        old["fixed"]
    ):  # a record has null for what is absent, and no key for what it did not know
        if old["fixed"][key] == new["fixed"].get(key):
            continue
        change = f"{name}: {key} changes from {_shown(old['fixed'], key)} to {_shown(new['fixed'], key)}"
        loss = LOSING.get(old["type"], {}).get(key)
        if loss:
            yield f"{change}. {loss} Keep {key}."
        else:
            yield (
                f"{change}, so CloudFormation would replace the resource. {_loss(old['type'], name)} Keep {key}."
            )
    if old.get("condition") != new.get("condition"):
        yield (
            f"{name}: its condition changes from {old.get('condition')} to {new.get('condition')}, so an update could "
            f"delete it or create a second one. {_loss(old['type'], name)} Keep the condition."
        )
    for key, title in (("deletion", "DeletionPolicy"), ("replacement", "UpdateReplacePolicy")):
        was, now = old.get(key, _KEEPING[0]), new.get(key, _KEEPING[0])
        if _KEEPING.index(now) < _KEEPING.index(was):
            yield f"{name}: {title} changes from {was} to {now}, which keeps less. Keep {was}."
    if "table" in old:
        yield from _refused_table(name, old["table"], new["table"])


def _refused_table(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for attribute, kind in old["attributes"].items():
        if new["attributes"].get(attribute, kind) != kind:
            yield (
                f"{name}: the key attribute {attribute} is of type {new['attributes'][attribute]}, and was {kind}. "
                "Items that exist would be missing from the index. Use a new attribute name."
            )
    for index in sorted({*old["indexes"], *new["indexes"]}):
        was, now = old["indexes"].get(index), new["indexes"].get(index)
        if was is None:
            yield (
                f"{index} is a new index of {name}. CloudFormation creates one index in each update and may fill it "
                "for hours; until then, and after a rollback, queries of it fail. Use an existing index."
            )
        elif now is None:
            yield f"{name}: the index {index} is removed. After a rollback, older code still queries it. Keep it."
        elif was != now:
            yield f"{name}: the index {index} changes, so CloudFormation would delete it and create it again. Keep it."
    for key, title in (("stream", "stream view type"), ("ttl", "TTL attribute")):
        if old[key] != new[key]:
            yield (
                f"{name}: the {title} changes from {old[key]} to {new[key]}. "
                + (
                    "The outbox would lose its place in the stream."
                    if key == "stream"
                    else "DynamoDB would no longer delete expired items."
                )
                + " Keep it."
            )


def _refused_conditions(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name, old in before.items():
        if name in after and after[name] != old:
            yield (
                f"The condition {name} changes from {old} to {after[name]}, so an update could delete a resource with "
                "data, or create a second one. Keep it."
            )


def _refused_interface(before: Template, after: Template, announced: str) -> Iterator[str]:
    for name in before["outputs"]:
        if name not in after["outputs"] and not _names(announced, name):
            yield (
                f"The output {name} is removed, which breaks stacks and scripts that read it. Keep it, or name it "
                'under "Removed" or "Changed" in the changelog.'
            )
    for name, old in before["parameters"].items():
        new = after["parameters"].get(name)
        if _names(announced, name):
            continue
        if new is None:
            yield (
                f"The parameter {name} is removed: an update that still sets it fails. Keep it, or name it under "
                '"Removed" or "Changed" in the changelog.'
            )
        else:
            for change in _narrowed(old, new):
                yield (
                    f"The parameter {name}: {change}. A running stack may depend on it. Keep it, or name it under "
                    '"Changed" in the changelog.'
                )
    for name, new in after["parameters"].items():
        if name not in before["parameters"] and "Default" not in new:
            yield (
                f"The parameter {name} is new and has no default, so updates that don't set it fail. Give it a default."
            )


def _narrowed(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in ("Type", "Default", "AllowedPattern"):
        if old.get(key) != new.get(key) and not (key == "AllowedPattern" and key not in new):
            yield f"its {key} changes from {_shown(old, key)} to {_shown(new, key)}"
    missing = [
        value for value in old.get("AllowedValues", ()) if value not in new.get("AllowedValues", [value])
    ]
    if missing or ("AllowedValues" in new and "AllowedValues" not in old):
        yield "it no longer allows " + (" or ".join(map(str, missing)) if missing else "every value")
    for key, larger in (("MaxLength", True), ("MaxValue", True), ("MinLength", False), ("MinValue", False)):
        if key in new and (key not in old or (new[key] < old[key] if larger else new[key] > old[key])):
            yield f"its {key} changes from {_shown(old, key)} to {new[key]}"


def _loss(kind: str, name: str) -> str:
    """Return what a stack would lose if a resource of this type were replaced."""
    return {
        "AWS::DynamoDB::Table": "The new table would be empty: every link would stop working.",
        "AWS::Events::Archive": "The new archive would be empty: a restore could not replay earlier events.",
        "AWS::Events::EventBus": "Other teams' rules on the old bus would get no more events.",
        "AWS::Logs::LogGroup": "The log lines of before would be deleted or left behind.",
        "AWS::S3::Bucket": "The objects of the old bucket would be left behind.",
        "AWS::SES::ConfigurationSet": "Feedback on emails that were already sent would be lost.",
        "AWS::SNS::Topic": "Its subscriptions would be lost, and nobody would get alarms.",
        "AWS::SQS::Queue": f"Messages of the old {name} would stay in a queue that nobody reads.",
        "AWS::SecretsManager::Secret": "The new signing keys would make every link invalid.",
        "AWS::Serverless::Api": "The new API has another address: every link would stop working.",
        "AWS::Serverless::Function": "Callers would call a function that does not exist.",
    }[kind]


def _names_in(value: Any) -> Iterator[str]:
    """Yield the logical ids that a part of a template refers to with Ref, Fn::GetAtt or Fn::Sub."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            if key == "Ref":
                yield part
            elif key == "Fn::GetAtt":
                yield part[0] if isinstance(part, list) else part.partition(".")[0]
            elif key == "Fn::Sub":
                text = part[0] if isinstance(part, list) else part
                yield from (found.partition(".")[0] for found in re.findall(r"\$\{([A-Za-z0-9.]+)\}", text))
            else:
                yield from _names_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from _names_in(part)


def _names(announced: str, name: str) -> bool:
    """Return whether a changelog's text has a name as code, between backticks."""
    return f"`{name}`" in announced


def _keys(schema: list[Mapping[str, str]]) -> list[str]:
    return [each["AttributeName"] for each in schema]


def _shown(values: Mapping[str, Any], key: str) -> str:
    return "nothing" if values.get(key) is None else repr(values[key])
