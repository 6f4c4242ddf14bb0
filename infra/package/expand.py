"""Apply SAM's transform here, as CloudFormation applies it, so that a template has only plain resources."""

import copy
import os
from collections.abc import Mapping
from typing import Any
from unittest.mock import patch


def expand(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return a template without SAM's transform. The functions' code is in the bucket `bucket`, with the key `key`."""
    from samtranslator.translator.managed_policy_translator import ManagedPolicyLoader
    from samtranslator.translator.transform import transform

    whole = copy.deepcopy(dict(template))
    for resource in whole["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": "bucket", "Key": "key"}
    with patch.dict(
        os.environ, {"AWS_DEFAULT_REGION": "us-east-1"}
    ):  # SAM reads it, and uses it for nothing here
        plain: dict[str, Any] = transform(whole, {}, ManagedPolicyLoader(None))
    return plain
