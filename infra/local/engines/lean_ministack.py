"""Run ministack without two of its repetitions: `python -P lean_ministack.py`.

ministack unpacks a function's zip for each of the function's processes. All functions of a stack share one zip with
1,500 files, so this program unpacks each zip once and gives each process a link to the folder. ministack also repeats
SAM's transform, which takes a second, for each change set; this program transforms each template once.
"""

import functools
import hashlib
import importlib
import json
import shutil
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Final

from ministack.core import lambda_runtime

_SAM: Final = "samtranslator.translator.transform"
_unpacking = threading.Lock()


class _UnpackedOnce(zipfile.ZipFile):
    """A zip that is unpacked into one shared folder. Functions don't write to the folder of their code."""

    def extractall(self, path: Any = None, *rest: Any) -> None:
        """Replace the empty folder `path` with a link to the shared folder."""
        digest = hashlib.sha256(Path(str(self.filename)).read_bytes()).hexdigest()
        shared = Path(tempfile.gettempdir()) / f"unpacked-{digest}"
        with _unpacking:
            if not shared.exists():
                unfinished = shared.with_suffix(".unfinished")
                shutil.rmtree(unfinished, ignore_errors=True)
                super().extractall(unfinished, *rest)
                unfinished.rename(shared)
        Path(path).rmdir()
        Path(path).symlink_to(shared)


class _TransformedOnce(ModuleType):
    """Stand in for SAM's module, which ministack imports at each use. The real module is imported at the first use."""

    def __init__(self) -> None:
        super().__init__(_SAM)
        self._results = dict[str, str]()

    def transform(self, template: Any, parameters: Any, policies: Any) -> Any:
        """Return the transformed template."""
        key = json.dumps([template, parameters])
        if key not in self._results:
            self._results[key] = json.dumps(_real_transform()(template, parameters, policies))
        return json.loads(self._results[key])


@functools.cache
def _real_transform() -> Callable[..., Any]:
    stand_in = sys.modules.pop(_SAM)
    try:
        transform: Callable[..., Any] = importlib.import_module(_SAM).transform
    finally:
        sys.modules[_SAM] = stand_in
    return transform


def save_repetitions() -> None:
    """Replace the parts of ministack that repeat work."""
    lambda_runtime.zipfile = SimpleNamespace(**{**vars(zipfile), "ZipFile": _UnpackedOnce})
    sys.modules[_SAM] = _TransformedOnce()


if __name__ == "__main__":
    from ministack.app import main

    save_repetitions()
    main()
