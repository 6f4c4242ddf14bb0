"""Apply SAM's transform here, as CloudFormation applies it, so that a template has only plain resources."""

import copy
import os
from collections.abc import Mapping
from typing import Any
from unittest.mock import patch


def expand(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return a template with SAM's transform applied. The functions' code has the placeholders `bucket` and `key`."""
    from samtranslator.translator.managed_policy_translator import ManagedPolicyLoader
    from samtranslator.translator.transform import transform

    whole = copy.deepcopy(dict(template))
    for resource in whole["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": "bucket", "Key": "key"}
    with patch.dict(
        os.environ, {"AWS_DEFAULT_REGION": "us-east-1"}
    ):  # SAM requires a region; this template doesn't depend on it
        plain: dict[str, Any] = transform(whole, {}, ManagedPolicyLoader(None))
    return plain
