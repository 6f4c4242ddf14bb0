"""Leave to `make proof` what loads large tools."""

from tests.support.proof.size import size

collect_ignore = size(["test_cdk_example.py", "test_terraform_provider.py"], [])
