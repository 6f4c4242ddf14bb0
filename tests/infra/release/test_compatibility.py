"""A release that would lose a running stack's data, addresses or callers is refused, with the reason."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from infra.paths import ROOT
from infra.release.changelog import announced_changes
from infra.release.compatibility import CREATE_ONLY, lasting_part, refused_changes
from infra.release.records import last_release

Template = dict[str, Any]


def refused(template: Template, change: Callable[[Template], object], announced: str = "") -> list[str]:
    """Return why a release with a changed template is refused."""
    changed = copy.deepcopy(template)
    change(changed)
    return refused_changes(lasting_part(template), lasting_part(changed), announced)


def resource(name: str) -> Callable[[Template], Template]:
    return lambda template: template["Resources"][name]


def properties(name: str) -> Callable[[Template], Template]:
    return lambda template: template["Resources"][name].setdefault("Properties", {})


def parameter(name: str) -> Callable[[Template], Template]:
    return lambda template: template["Parameters"][name]


def setting(at: Callable[[Template], Template], **values: Any) -> Callable[[Template], object]:
    return lambda template: at(template).update(values)


def removing(at: Callable[[Template], Template], name: str) -> Callable[[Template], object]:
    return lambda template: at(template).pop(name)


def _index(template: Template) -> Template:
    found: Template = template["Resources"]["Table"]["Properties"]["GlobalSecondaryIndexes"][0]
    return found


def _new_index(template: Template) -> None:
    indexes = template["Resources"]["Table"]["Properties"]["GlobalSecondaryIndexes"]
    indexes.append({**indexes[0], "IndexName": "byPhone"})


def _renamed(template: Template) -> None:
    template["Resources"]["OutboxParking"] = template["Resources"].pop("OutboxDlq")


def _key_as_number(template: Template) -> None:
    template["Resources"]["Table"]["Properties"]["AttributeDefinitions"][0]["AttributeType"] = "N"


OTHER_KEY = [{"AttributeName": "sk", "KeyType": "HASH"}, {"AttributeName": "pk", "KeyType": "RANGE"}]

CASES = {
    "another table key": (
        setting(properties("Table"), KeySchema=OTHER_KEY),
        "Table: KeySchema changes from .* every link would stop working",
    ),
    "another key type": (_key_as_number, "key attribute pk is of type N, and was S"),
    "a new index": (_new_index, "byPhone is a new index of Table"),
    "an index less": (
        lambda template: template["Resources"]["Table"]["Properties"]["GlobalSecondaryIndexes"].pop(0),
        "the index byHost is removed",
    ),
    "an index with another projection": (
        setting(_index, Projection={"ProjectionType": "ALL"}),
        "the index byHost changes",
    ),
    "another stream view": (
        setting(properties("Table"), StreamSpecification={"StreamViewType": "KEYS_ONLY"}),
        "stream view type changes from NEW_AND_OLD_IMAGES to KEYS_ONLY",
    ),
    "another TTL attribute": (
        setting(properties("Table"), TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": True}),
        "TTL attribute changes from .*purgeAt.* to .*ttl",
    ),
    "a queue with a name": (
        setting(properties("OutboxDlq"), QueueName="parking"),
        "OutboxDlq: QueueName changes from nothing to 'parking'.*replace the resource.*queue that nobody reads",
    ),
    "a resource with another logical id": (
        _renamed,
        r"OutboxDlq \(AWS::SQS::Queue\) is removed or has another name",
    ),
    "a resource of another type": (
        setting(resource("EventBus"), Type="AWS::SNS::Topic"),
        "EventBus is AWS::SNS::Topic, and was AWS::Events::EventBus",
    ),
    "a secret with a name": (setting(properties("SigningSecret"), Name="keys"), "make every link invalid"),
    "a resource with a condition": (
        setting(resource("ImportBucket"), Condition="HasDomain"),
        "ImportBucket: its condition changes from None to HasDomain",
    ),
    "a table that is deleted with its stack": (
        setting(resource("Table"), DeletionPolicy="Delete"),
        "Table: DeletionPolicy changes from Retain to Delete, which keeps less",
    ),
    "a table that is deleted when it is replaced": (
        removing(resource("Table"), "UpdateReplacePolicy"),
        "UpdateReplacePolicy changes from Retain to Delete",
    ),
    "another stage of the API": (
        setting(properties("RestAPI"), StageName="v2"),
        "RestAPI: StageName changes from 'api' to 'v2'. The URL of every link contains it",
    ),
    "a key that is generated in another way": (
        setting(properties("SigningSecret"), GenerateSecretString={"PasswordLength": 40}),
        "GenerateSecretString changes .* makes every link invalid",
    ),
    "a table without backups": (
        removing(properties("Table"), "PointInTimeRecoverySpecification"),
        "could no longer be restored",
    ),
    "a table that anybody can delete": (
        setting(properties("Table"), DeletionProtectionEnabled=False),
        "DeletionProtectionEnabled changes from True to False. Nothing would prevent",
    ),
    "a TTL that is off": (
        lambda template: template["Resources"]["Table"]["Properties"]["TimeToLiveSpecification"].update(
            Enabled=False
        ),
        "would no longer delete expired items",
    ),
    "a local index": (
        lambda template: template["Resources"]["Table"]["Properties"].update(
            LocalSecondaryIndexes=[{**_index(template), "IndexName": "byPhone"}]
        ),
        "byPhone is a new index of Table",
    ),
    "another condition of a log group": (
        lambda template: template["Conditions"].update(HasWaf={"Fn::Equals": ["a", "b"]}),
        "The condition HasWaf changes",
    ),
    "a new parameter without a default": (
        lambda template: template["Parameters"].update(Team={"Type": "String"}),
        "The parameter Team is new and has no default",
    ),
    "another API": (
        lambda template: template["Resources"].update(Api=template["Resources"].pop("RestAPI")),
        "RestAPI .* is removed or has another name. The new API has another address",
    ),
    "a called function less": (
        lambda template: template["Resources"].pop("RedeemLink"),
        "RedeemLink .*Callers would call a function that does not exist",
    ),
    "an output less": (
        lambda template: template["Outputs"].pop("TableName"),
        "The output TableName is removed",
    ),
    "a parameter less": (
        lambda template: template["Parameters"].pop("AlarmEmail"),
        "The parameter AlarmEmail is removed",
    ),
    "another default": (
        setting(parameter("Tracing"), Default="on"),
        "The parameter Tracing: its Default changes from 'off' to 'on'",
    ),
    "an allowed value less": (
        setting(parameter("BookingsClosed"), AllowedValues=["no", "all"]),
        "The parameter BookingsClosed: it no longer allows yes",
    ),
    "a shorter text": (
        setting(parameter("MailSender"), MaxLength=10),
        "The parameter MailSender: its MaxLength changes from 320 to 10",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_change_that_loses_data_or_callers_is_refused(case: str, template: Template) -> None:
    """Each refusal names the part and says what would be lost; nothing else is refused with it."""
    import re

    change, reason = CASES[case]
    reasons = refused(template, change)
    assert len(reasons) == 1, reasons
    assert re.search(reason, reasons[0]), reasons


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("TableName", lambda template: template["Outputs"].pop("TableName")),
        ("AlarmEmail", lambda template: template["Parameters"].pop("AlarmEmail")),
        ("RedeemLink", lambda template: template["Resources"].pop("RedeemLink")),
        ("MailSender", setting(parameter("MailSender"), MaxLength=10)),
    ],
)
def test_what_callers_lose_is_allowed_if_the_changelog_announces_it(
    name: str, change: Callable[[Template], object], template: Template
) -> None:
    assert refused(template, change, f"- `{name}` is changed.") == []


def test_a_record_that_does_not_know_a_property_yet_is_not_compared_by_it(template: Template) -> None:
    """A record never changes, so a rule that is added later holds from the next release on."""
    before = copy.deepcopy(lasting_part(template))
    del before["resources"]["RestAPI"]["fixed"]["StageName"]
    del before["conditions"]
    assert refused_changes(before, lasting_part(template), "") == []


def test_a_name_that_is_only_part_of_a_word_announces_nothing(template: Template) -> None:
    """Otherwise a note about `TableNameSuffix`, or about tables, would allow to remove `TableName`."""
    change, _ = CASES["an output less"]
    assert refused(template, change, "- The TableName and `TableNameSuffix` are changed.")


@pytest.mark.parametrize("case", ["another table key", "a new index", "a resource with another logical id"])
def test_an_announcement_does_not_allow_a_loss_of_data(case: str, template: Template) -> None:
    change, _ = CASES[case]
    assert refused(template, change, "- `Table`, `byPhone`, `OutboxDlq` are changed.")


@pytest.mark.parametrize(
    "change",
    [
        lambda _: None,
        setting(resource("EventBus"), DeletionPolicy="Retain", UpdateReplacePolicy="Retain"),
        lambda template: template["Outputs"].update(Another={"Value": "x"}),
        setting(parameter("BookingsClosed"), AllowedValues=["no", "yes", "all", "some"]),
        removing(parameter("MailSender"), "MaxLength"),
        removing(resource("Expiry"), "Properties"),
    ],
)
def test_a_change_that_loses_nothing_is_allowed(
    change: Callable[[Template], object], template: Template
) -> None:
    assert refused(template, change) == []


def test_the_working_tree_can_follow_the_last_release(template: Template) -> None:
    """Otherwise only the next `make release` would find the change."""
    last = last_release()
    announced = announced_changes((ROOT / "CHANGELOG.md").read_text(), last.version)
    assert refused_changes(last.lasting, lasting_part(template), announced) == []


def test_create_only_properties_are_those_of_cloudformations_schemas() -> None:
    """A change of a property that is missing here would replace a resource without being refused."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    for kind, listed in CREATE_ONLY.items():
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
        paths = [
            *schema.get("createOnlyProperties", ()),
            *schema.get("conditionalCreateOnlyProperties", ()),
        ]
        assert {path.removeprefix("/properties/") for path in paths} == set(listed), kind
