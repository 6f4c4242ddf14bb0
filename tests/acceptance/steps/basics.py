"""What runs, in which account, and the first key."""

from collections.abc import Iterator

from infra.deploy.concurrency import read_quota
from infra.operate.admin import make_admin
from tests.acceptance.run import Run, code_of, digest


def version(run: Run) -> Iterator[str]:
    """Compare the versions of the site and the stack, and the code of all functions."""
    answer = run.send("GET", "/v1/version")
    assert answer.status_code == 200, code_of(answer)
    site, stack = answer.json()["version"], run.target.outputs["Version"]
    assert site == stack, f"the site runs {site}, the stack says {stack}"
    yield f"{site} on the site and in the stack"
    client, functions = run.target.client("lambda"), run.target.of_type("AWS::Lambda::Function")
    found = [client.get_function_configuration(FunctionName=name) for _, name in sorted(functions.items())]
    codes = {each["CodeSha256"] for each in found}
    assert len(codes) == 1, f"the functions have {len(codes)} different codes"
    yield f"{len(found)} functions, all with the code {digest(codes.pop())}"
    runtimes = {each.get("RuntimeVersionConfig", {}).get("RuntimeVersionArn", "unknown") for each in found}
    run.notes.append(f"A16, runtime: {found[0]['Runtime']}, {', '.join(sorted(runtimes))}")


def account(run: Run) -> Iterator[str]:
    """Report the account's settings that decide how the stage behaves."""
    quota = read_quota(run.target.account)
    yield (
        f"Lambda quota: {quota.executions} ({quota.unreserved} unreserved)"
        if quota
        else "Lambda quota: unknown"
    )
    subscribed = run.target.client("sns").list_subscriptions_by_topic(
        TopicArn=run.target.outputs["AlarmTopicArn"]
    )
    confirmed = [each for each in subscribed["Subscriptions"] if each["SubscriptionArn"].startswith("arn:")]
    yield f"alarms: {len(confirmed)} confirmed subscriptions" + ("" if confirmed else "; NOBODY gets alarms")
    role = run.target.client("apigateway").get_account().get("cloudwatchRoleArn")
    yield f"API Gateway's log role: {role or 'NONE: there are no access logs'}"
    if run.target.parameters.get("MailSender"):
        ses = run.target.client("sesv2").get_account()
        place = (
            "production"
            if ses["ProductionAccessEnabled"]
            else "the SANDBOX: only verified addresses get email"
        )
        yield f"SES: {place}; {ses['SendQuota']['Max24HourSend']:.0f} emails a day"
    run.notes.append(f"A13, Lambda quota: {quota.executions if quota else 'unknown'}")


def sign_in(run: Run) -> Iterator[str]:
    """Make an admin key with the stack's function, and use it."""
    made = make_admin(run.target.account, run.target.stage, run.state.name)
    run.api_key = made["apiKey"]
    run.secrets.append(run.api_key)
    answer = run.send("GET", "/v1/me", team=True)
    assert answer.status_code == 200, code_of(answer)
    assert answer.json()["role"] == "admin"
    yield f"{made['keyId']} is an admin key"
    refused = run.send("GET", "/v1/me")
    assert refused.status_code == 401, code_of(refused)
    yield "without a key: 401"
