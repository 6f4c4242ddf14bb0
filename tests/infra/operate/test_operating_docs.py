"""docs/operate.md, security.md and scale.md match template, code, Makefile and measurements."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import botocore.session
import msgspec
import pytest

from chalicelib.api.invitee import routing as invitee_router
from chalicelib.api.site import console
from chalicelib.domain.listings import DUE_SHARDS
from chalicelib.domain.webhooks.deliveries import DELIVERY_SHARDS
from chalicelib.settings import DailyMails, RetentionDays
from infra.local.engines.dynoxide import find_dynoxide
from infra.package.functions import DIRECT, logical_id, read_config
from infra.paths import ROOT
from tests.bench.anonymous import anonymous
from tests.bench.costs import costs
from tests.bench.downstream import downstream
from tests.bench.prices import COLUMNS, DESCRIPTION_KB, idle, prices
from tests.bench.report.sections import Section
from tests.bench.sizes import sizes

OPERATE: Final = (ROOT / "docs" / "operate.md").read_text()
SECURITY: Final = (ROOT / "docs" / "security.md").read_text()
SCALE: Final = (ROOT / "docs" / "scale.md").read_text()

_OF_THE_TOOL: Final = {"query", "output", "region", "profile", "max-items"}
_RAISED: Final = {12: "¹²", 13: "¹³"}
_HIGH_LEVEL: Final = {("logs", "tail")}  # the command line tool's own, no call of the API
_NAMES: Final = {"s3api": "s3"}  # of a service in the command line tool, and in AWS's description


def _rows(text: str, head: str) -> Iterator[list[str]]:
    """Yield the rows of the table with that head, as cells."""
    _, found, rest = text.partition(f"\n{head}\n")
    assert found, f"no table {head!r}"
    for line in rest.splitlines()[1:]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def _code(text: str) -> set[str]:
    """Return the texts between single backticks."""
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)))


# --- operate.md


def test_the_document_lists_every_alarm_and_no_other(resources: dict[str, Any]) -> None:
    alarms = {name for name, each in resources.items() if each["Type"] == "AWS::CloudWatch::Alarm"}
    documented = {name for name in _code(OPERATE) if re.fullmatch(r"\w+Alarm", name)}
    assert documented == alarms
    assert f"| {len(alarms)} alarms, of one metric each;" in OPERATE


def test_every_alarms_description_names_its_section(resources: dict[str, Any]) -> None:
    """CloudWatch emails the description. It names a heading of the document, and that section names the alarm."""
    sections = dict(re.findall(r"^### (.*?)\n(.*?)(?=^##)", OPERATE, re.MULTILINE | re.DOTALL))
    for name, each in resources.items():
        if each["Type"] == "AWS::CloudWatch::Alarm":
            heading = re.search(r'docs/operate\.md, "(.+)"', each["Properties"]["AlarmDescription"])
            assert heading, name
            assert f"`{name}`" in sections[heading[1]], name


def test_the_document_lists_everything_that_can_be_turned_off_without_an_alarm(
    resources: dict[str, Any],
) -> None:
    """P6: no metric shows that a rule is disabled, or that SES or a bucket sends it no events."""
    rows = _rows(OPERATE, "| turned off | what stands still |")
    silent = {
        name
        for name, each in resources.items()
        if each["Type"] in {"AWS::Events::Rule", "AWS::SES::ConfigurationSetEventDestination"}
        or "EventBridgeConfiguration" in each.get("Properties", {}).get("NotificationConfiguration", {})
    }
    assert {name for row in rows for name in _code(row[0])} == silent


def test_the_document_lists_every_functions_alarms_and_rights() -> None:
    """One row for each function."""
    functions = set(read_config(ROOT)["lambda_functions"])
    rows = {row[0].strip("`"): row for row in _rows(OPERATE, "| function | alarm | what is affected |")}
    assert set(rows) == functions
    for name, row in rows.items():
        alarm = "DirectFunctionsErrorsAlarm" if name in DIRECT else f"{logical_id(name)}ErrorsAlarm"
        assert alarm in _code(row[1]), name
    listed = [
        name for row in _rows(SECURITY, "| function | reads | writes | keys |") for name in _code(row[0])
    ]
    assert sorted(listed) == sorted(functions)


def test_every_dead_letter_queue_is_redriven_to_a_queue_that_accepts_its_messages(
    resources: dict[str, Any],
) -> None:
    """P6: a function reads the target queue, and the target's dead-letter queue is this one."""
    rows = list(_rows(OPERATE, "| alarm | what the queue holds | how to redrive |"))
    moves = dict(re.findall(r"redrive (\w+) (\w+)", " ".join(row[2] for row in rows)))
    dead = {
        name for name, each in resources.items() if each["Type"] == "AWS::SQS::Queue" and name.endswith("Dlq")
    }
    assert set(moves) == dead
    read = {
        each["Properties"]["EventSourceArn"]["Fn::GetAtt"][0]
        for each in resources.values()
        if each["Type"] == "AWS::Lambda::EventSourceMapping"
    }
    for source, target in moves.items():
        policy = resources[target]["Properties"]["RedrivePolicy"]
        assert policy["deadLetterTargetArn"] == {"Fn::GetAtt": [source, "Arn"]}
        assert target in read


def test_the_table_of_settings_lists_every_variable_and_every_parameter(template: dict[str, Any]) -> None:
    """Each row has the variable that the code reads, the parameter that sets it, and the defaults of both."""
    source = (ROOT / "chalicelib" / "settings.py").read_text()
    read = set(re.findall(r'env(?:\.get\(|\[)"([A-Z_]+)"', source))
    kept = {
        f"RETENTION_{each.name.upper()}_DAYS": each.default for each in msgspec.structs.fields(RetentionDays)
    } | {f"MAIL_{each.name.upper()}_DAILY_LIMIT": each.default for each in msgspec.structs.fields(DailyMails)}
    rows = list(_rows(OPERATE, "| variable | parameter | default | |"))
    variables = {row[0].strip("`"): row for row in rows if row[0]}
    parameters = {row[1].strip("`"): row for row in rows if row[1]}
    assert set(variables) == read | set(kept)
    assert {name: variables[name][2] for name in kept} == {name: str(days) for name, days in kept.items()}
    wanted = {name: str(each.get("Default", "")) for name, each in template["Parameters"].items()}
    assert {name: row[2] for name, row in parameters.items()} == wanted


def test_each_variable_is_set_by_the_parameter_in_its_row(resources: dict[str, Any]) -> None:
    """A function of the template has each pair; no parameter sets a variable without one."""
    rows = list(_rows(OPERATE, "| variable | parameter | default | |"))
    parameters = {row[1].strip("`") for row in rows if row[1]}
    given: dict[str, set[str]] = {}
    for each in resources.values():
        variables = each.get("Properties", {}).get("Environment", {}).get("Variables", {})
        for name, value in variables.items():
            given.setdefault(name, set()).update(parameters & set(re.findall(r"'Ref': '(\w+)'", str(value))))
    for variable, parameter, *_ in ([cell.strip("`") for cell in row] for row in rows):
        if variable:
            assert given.get(variable, set()) == ({parameter} if parameter else set()), variable


def _aws_commands() -> list[tuple[str, str, list[str]]]:
    """Return service, operation and options of every command of the aws tool in the documents."""
    text = OPERATE + SCALE + (ROOT / "docs" / "events.md").read_text()
    found = []
    for line in re.findall(r"(?:^|[`{(] ?)(aws [a-z0-9]+ [a-z0-9-]+[^`\n]*)", text, re.MULTILINE):
        _, service, operation, *_ = line.split()
        options = re.findall(
            r" --([a-z0-9-]+)", line.split("$(queue_arn")[0] if "queue_arn()" in line else line
        )
        found.append((service, operation.rstrip(",;)"), options))
    return found


@pytest.mark.parametrize(("service", "operation", "options"), _aws_commands())
def test_every_aws_command_is_valid(service: str, operation: str, options: list[str]) -> None:
    """The operation exists in AWS's description of the service, and has these options."""
    if (service, operation) in _HIGH_LEVEL:
        return
    model = botocore.session.get_session().get_service_model(_NAMES.get(service, service))
    name = operation.title().replace("-", "")
    by_name = {known.lower(): known for known in model.operation_names}
    assert name.lower() in by_name, (service, operation)
    shape = model.operation_model(by_name[name.lower()]).input_shape
    members = {re.sub(r"[^a-z0-9]", "", member.lower()) for member in shape.members} if shape else set()
    for option in set(options) - _OF_THE_TOOL:
        assert option.replace("-", "") in members, (service, operation, option)


# --- all three


@pytest.mark.parametrize("text", [OPERATE, SECURITY, SCALE], ids=["operate", "security", "scale"])
def test_every_file_that_is_named_exists(text: str) -> None:
    """Tests, modules and fragments; `<function>` and `<stage>` are placeholders."""
    named = {name for name in _code(text) if re.match(r"(tests|infra|chalicelib|docs|\.chalice)/", name)}
    missing = [name for name in named if "<" not in name and not (ROOT / name).exists()]
    assert missing == ["infra/stages/prod.json"] * ("infra/stages/prod.json" in missing)


def test_each_kind_of_attacker_names_the_tests_that_protect_against_it() -> None:
    """Each has what they can do, what risk is left, and the tests."""
    chapter = SECURITY.split("## Who might try\n")[1].split("\n## ")[0]
    kinds = chapter.split("### ")[1:]
    assert len(kinds) >= 9
    for kind in kinds:
        title = kind.splitlines()[0]
        assert all(word in kind for word in ("**Can**", "**What is left**", "**Tests**")), title
        assert re.search(r"`tests/[\w/]+\.py`", kind.split("**Tests**")[1]), title


@pytest.mark.parametrize("text", [OPERATE, SECURITY, SCALE], ids=["operate", "security", "scale"])
def test_every_resource_parameter_and_output_that_is_named_exists(
    text: str, template: dict[str, Any]
) -> None:
    """The documents spell the template's names exactly."""
    known = {*template["Resources"], *template["Parameters"], *template["Outputs"]}
    others = {
        "GetItem",
        "TransactWriteItems",
        "ReceiptHandle",
        "LinkUsed",
        "StoreUnavailable",
        "NotFound",
        "Authorization",
        "Referer",
        "ProvisionedThroughputExceededException",
        "ReadTimeoutError",
    }
    pattern = r"(?:[A-Z][a-z0-9]+){2,}"
    named = {name for name in _code(text) if re.fullmatch(pattern, name)}
    mapping_properties = {"MaximumConcurrency"}
    metrics = {
        each["Properties"]["MetricName"]
        for each in template["Resources"].values()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert named - known - others - mapping_properties - metrics == set()


# --- security.md


def test_the_documented_content_security_policy_is_the_pages_policy() -> None:
    """Compares the booking page's header exactly."""
    sent: str = invitee_router._HEADERS["Content-Security-Policy"]
    assert f"Content-Security-Policy: {sent}" in SECURITY
    assert "script-src 'self'" in console._HEADERS["Content-Security-Policy"]


def test_the_documented_time_to_guess_a_token_is_correct() -> None:
    """The years for 2⁸⁰ guesses at the documented rate."""
    year = 365.25 * 24 * 3600
    for rate, documented in ((500, (7.7, 13)), (10_000, (3.8, 12))):
        years = 2**80 / rate / year
        assert years == pytest.approx(documented[0] * 10 ** documented[1], rel=0.02)
        assert f"{documented[0]} × 10{_RAISED[documented[1]]}" in SECURITY


# --- what is measured


def _costs(section: Section) -> list[list[str]]:
    return [
        [row.what, str(len(row.raw["calls"])), f"{row.raw['rcu']:g}", f"{row.raw['wcu']:g}"]
        for row in section.rows
    ]


def _with_dollars(section: Section) -> list[list[str]]:
    documented = _costs(section)
    return [
        [*cells, f"{row.raw['dollars']:.2f}"] for cells, row in zip(documented, section.rows, strict=True)
    ]


_MEASURED: Final[list[tuple[str, str, Callable[[], Section], Callable[[Section], list[list[str]]]]]] = [
    ("operate.md", "| what | calls | RCU | WCU | $ |", costs, _with_dollars),
    ("operate.md", "| what | calls | RCU | WCU |", downstream, _costs),
]


@pytest.mark.usefixtures("own_environment")
@pytest.mark.skipif(find_dynoxide() is None, reason="needs dynoxide")
@pytest.mark.parametrize(
    ("document", "head", "measure", "shown"), _MEASURED, ids=lambda value: getattr(value, "__name__", "")
)
def test_documented_costs_are_the_measured_ones(
    document: str, head: str, measure: Callable[[], Section], shown: Callable[[Section], list[list[str]]]
) -> None:
    """If you change an operation's cost, run `make bench` and update the table."""
    documented = list(_rows(Path(ROOT / "docs" / document).read_text(), head))
    assert documented == shown(measure())


@pytest.mark.usefixtures("own_environment")
@pytest.mark.skipif(find_dynoxide() is None, reason="needs dynoxide")
def test_documented_prices_are_the_computed_ones() -> None:
    """They agree within a few cents, because a page's length depends on the ids in it."""
    rows = _rows(
        OPERATE, f"| a million of these | {' | '.join(COLUMNS)} | sum | sum under load | X-Ray, if on |"
    )
    documented = {what: rest for what, *rest in rows}
    found = {row.what: row.raw for row in prices().rows}
    assert list(documented) == list(found)
    for what, raw in found.items():
        *spent, total, loaded, x_ray = documented[what]
        cells = [float(cell or 0) for cell in spent]
        assert cells == pytest.approx([raw[name] for name in COLUMNS], abs=0.2), what
        assert float(total.strip("*")) == pytest.approx(sum(cells), abs=0.001), what
        assert float(loaded.strip("*")) == pytest.approx(raw["under load"], abs=0.2), what
        assert [float(cell) for cell in (x_ray or "0, 0").split(", ")] == list(raw["X-Ray"]), what


@pytest.mark.usefixtures("own_environment")
@pytest.mark.skipif(find_dynoxide() is None, reason="needs dynoxide")
def test_the_documented_price_of_an_idle_stage_is_the_computed_one(resources: dict[str, Any]) -> None:
    """Every alarm, metric, queue and schedule of the template counts. The sum may not rise above that of 0.1.0."""
    after = OPERATE[OPERATE.index("### An idle stage") :]
    documented = [float(row[1]) for row in _rows(after, "| | $ |")]
    computed = idle(resources)
    assert documented == [*(round(each, 2) for each in computed.values()), 0]
    assert sum(computed.values()) <= 12.03


@pytest.mark.usefixtures("own_environment")
@pytest.mark.skipif(find_dynoxide() is None, reason="needs dynoxide")
def test_the_documented_most_expensive_anonymous_request_is_the_one_that_is_found() -> None:
    """A new route without a key is measured too, and a more expensive one has to be documented."""
    rows = {row.what: row.raw for row in anonymous().rows}
    first, second = sorted(rows, key=lambda what: -rows[what]["dollars"])[:2]
    assert first == "GET /v1/openapi.json"
    assert second.startswith("GET /assets/console")
    assert rows[first]["bytes"] <= DESCRIPTION_KB * 1024, (
        "then raise the bound, and the price in the documents"
    )
    [documented] = [row for row in prices().rows if row.what == "read the API description, uncompressed"]
    assert rows[first]["dollars"] <= documented.raw["sum"]
    dollars = round(documented.raw["sum"])
    an_hour = round(500 * 3600 / 1_000_000 * documented.raw["sum"], -1)
    assert f"at most ${dollars} a million" in SECURITY
    assert f"${dollars} a million is ${an_hour:.0f} an hour" in SECURITY


@pytest.mark.usefixtures("own_environment")
@pytest.mark.skipif(find_dynoxide() is None, reason="needs dynoxide")
def test_documented_sizes_are_the_computed_ones() -> None:
    """They agree within a few bytes, because a number's size depends on its digits."""
    documented = {
        what: [int(each) for each in rest]
        for what, *rest in _rows(SCALE, "| | item | index entries | stored |")
    }
    found = {row.what: [row.raw[name] for name in ("item", "entries", "stored")] for row in sizes().rows}
    assert list(documented) == list(found)
    for what, [item, entries, stored] in found.items():
        assert documented[what] == [pytest.approx(item, abs=8), entries, pytest.approx(stored, abs=16)], what


# --- scale.md


def test_documented_limits_are_those_of_the_code(resources: dict[str, Any]) -> None:
    """The shards and the concurrency on which the document's arithmetic is based."""
    assert f"`DUE#{DUE_SHARDS - 1:02d}`" in SCALE
    assert f"{DELIVERY_SHARDS} shards of deliveries" in SCALE
    documented = SCALE.split("## The stack's limits")[1].split("\n## ")[0]
    for mapping, words in {
        "WebhookFanoutMapping": "`webhook_fanout` {} at once",
        "WebhookDeliverMapping": "`webhook_deliver` {}, batches",
        "MailMapping": "`mail` {} at once",
        "CommandMapping": "`commands` {} at once",
        "ImportMapping": "`import_csv` {} files at once",
    }.items():
        most = resources[mapping]["Properties"]["ScalingConfig"]["MaximumConcurrency"]
        assert words.format(most) in documented, mapping
