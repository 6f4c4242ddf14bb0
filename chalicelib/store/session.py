"""Make a botocore session start faster: find a service's description without searching all services."""

import functools
import os
from pathlib import Path
from typing import Any

from botocore.loaders import Loader


class _Loader(Loader):
    """A loader that finds a service's description without searching the descriptions of all services.

    To check that a service exists, botocore looks for a file in each of about 400 folders, twice per client. This
    loader trusts the folder's name; if the file is missing, loading it fails anyway.
    """

    def list_available_services(self, type_name: str) -> list[str]:
        """Return the names of the services that have a folder, in order."""
        del type_name
        names: set[str] = set()
        for path in self.search_paths:
            if Path(path).is_dir():
                with os.scandir(path) as entries:
                    names.update(entry.name for entry in entries if entry.is_dir())
        return sorted(names)


@functools.cache
def _loader() -> _Loader:
    """Return this process's loader. It caches what it parses, so a second session does not parse it again."""
    return _Loader()


def use_fast_loader(session: Any) -> None:
    """Make a session find services quickly; call it before the session's first client (docs/adr/0008-cold-start.md)."""
    session.register_component("data_loader", _loader())
