"""Secrets Manager: read one secret."""

from typing import Final

from chalicelib.clients.aws import Aws
from chalicelib.clients.failures import FAILURES, failure_of, fault_of, is_temporary
from chalicelib.domain.errors import StoreUnavailableError

SERVICE: Final = "secretsmanager"


class Secrets:
    """Reads secrets."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def read(self, secret_id: str) -> str:
        """Return a secret's text. Raises `StoreUnavailableError` if Secrets Manager does not respond or throttles.

        Any other error (a missing permission, an unknown secret) is a defect, and is raised unchanged.
        """
        try:
            return str(self._aws.call(SERVICE, "get_secret_value", SecretId=secret_id)["SecretString"])
        except FAILURES as error:
            if not is_temporary(error):
                raise
            raise StoreUnavailableError(
                f"Secrets Manager did not return the signing keys: {failure_of(error)}. Retry the same request.",
                fault=fault_of(error, SERVICE, "GetSecretValue"),
            ) from error
