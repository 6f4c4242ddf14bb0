"""The event that API Gateway sends to the HTTP function."""

import json
import time
from typing import Any, Final

ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"
GATEWAY: Final = f"abc123defg.execute-api.{REGION}.amazonaws.com"


def gateway_request(
    method: str,
    resource: str,
    *,
    body: Any = None,
    accept: str = "application/json",
    authorizer: dict[str, str] | None = None,
    domain: str = GATEWAY,
    stage_in_path: bool = True,
    query: dict[str, str] | None = None,
    **parameters: str,
) -> dict[str, Any]:
    """Return an event of a REST API's Lambda proxy integration (payload 1.0)."""
    path = resource
    for name, value in parameters.items():
        path = path.replace("{" + name + "}", value)
    headers = {
        "Accept": accept, "CloudFront-Forwarded-Proto": "https", "Host": domain, "User-Agent": "curl/8.5.0",
        "X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793", "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Port": "443", "X-Forwarded-Proto": "https",
    }  # fmt: skip
    if body is not None:
        headers["Content-Type"] = "application/json"
    context: dict[str, Any] = {
        "resourceId": "a1b2c3", "resourcePath": resource, "httpMethod": method, "extendedRequestId": "Ab12Cd34Ef=",
        "requestTime": "21/Nov/2026:10:00:00 +0000", "path": f"/api{path}" if stage_in_path else path,
        "accountId": ACCOUNT, "protocol": "HTTP/1.1", "stage": "api", "domainPrefix": domain.split(".", maxsplit=1)[0],
        "requestTimeEpoch": int(time.time() * 1000), "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        "identity": {
            "cognitoIdentityPoolId": None, "accountId": None, "cognitoIdentityId": None, "caller": None,
            "sourceIp": "203.0.113.7", "principalOrgId": None, "accessKey": None, "userAgent": "curl/8.5.0",
            "cognitoAuthenticationType": None, "cognitoAuthenticationProvider": None, "userArn": None, "user": None,
        },
        "domainName": domain, "deploymentId": "d1e2f3", "apiId": "abc123defg",
    }  # fmt: skip
    if authorizer is not None:
        context["authorizer"] = {**authorizer, "integrationLatency": 12}
    return {
        "resource": resource, "path": path, "httpMethod": method, "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query, "stageVariables": None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
        "pathParameters": parameters or None, "requestContext": context,
        "body": None if body is None else json.dumps(body), "isBase64Encoded": False,
    }  # fmt: skip
