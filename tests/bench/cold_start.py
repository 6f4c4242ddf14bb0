"""Measure a cold start of the zip under Lambda's runtime client, compared with a bare Chalice and PynamoDB app."""

import compileall
import os
import py_compile
import shutil
import subprocess
import sys
import time
import zipfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from infra.local.aws import use_local_aws
from infra.local.engines.dynoxide import Dynoxide
from infra.local.stack import local_package
from tests.bench.report.sections import Section, spread
from tests.bench.setup.site import Site, proxy_event
from tests.support.aws.lambda_runtime import running, runtime_folder

STARTS: Final = 15
BUDGET: Final = 1.3
ZIP_BUDGET: Final = 8 * 1024 * 1024
_TOP: Final = 12

_BARE: Final = '''"""One route that reads one item: the smallest useful Chalice and PynamoDB app."""

import os

from chalice.app import Chalice
from pynamodb.attributes import UnicodeAttribute
from pynamodb.models import Model

app = Chalice(app_name="bare")


class Item(Model):
    class Meta:
        table_name = os.environ["TABLE_NAME"]
        host = os.environ["AWS_ENDPOINT_URL_DYNAMODB"]
        region = "us-east-1"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)


@app.route("/items/{key}")
def read(key: str) -> dict[str, str]:
    item = Item.get(f"LINK#{key}", "LINK", consistent_read=True)
    return {"pk": item.pk}
'''


def cold_start() -> Section:
    """Start both apps alternately, and time each from the start of its process to the end of its first response."""
    section = Section(
        "A cold start",
        f"{STARTS} alternating starts of each app: a new process of Lambda's runtime client (awslambdaric) with the "
        "unpacked zip, from its start to the response to its first request, which reads one item from dynoxide. The "
        "bare app replaces ours in the same zip, with the same dependencies, compiled in the same way.",
    )
    with TemporaryDirectory(prefix="admit-one-cold-") as name, Dynoxide() as engine:
        folder = Path(name)
        package = local_package(folder / "package")
        with zipfile.ZipFile(package.archive) as archive:
            archive.extractall(folder / "ours")
            archive.extractall(folder / "bare")
        _make_bare(folder / "bare")
        (folder / "runtime").mkdir()
        runtime = runtime_folder(folder / "runtime")
        site = Site(engine)
        link = site.team("POST", "/v1/links", {"eventTypeId": site.event_type(site.host())})["links"][0]
        event = proxy_event("GET", "/v1/links/{linkId}", path={"linkId": link["linkId"]}, admin=True)
        bare_event = proxy_event("GET", "/items/{key}", path={"key": link["linkId"]})
        environment: dict[str, str] = {}
        use_local_aws(environment)
        environment |= site.environment()
        handler = package.read_template()["Resources"]["APIHandler"]["Properties"]["Handler"]
        ours: list[float] = []
        bare: list[float] = []
        for _ in range(STARTS + 1):
            bare.append(_start(folder / "bare", runtime, "app.app", environment, bare_event, folder / "log"))
            ours.append(_start(folder / "ours", runtime, handler, environment, event, folder / "log"))
        del ours[0], bare[0]  # the first starts fill the file system's cache
        imports = _imports(folder / "ours", runtime, environment)
        size = package.archive.stat().st_size
    ratios = [one / other for one, other in zip(ours, bare, strict=True)]
    middle = sorted(ratios)[len(ratios) // 2]
    section.add(
        "first answer, ours / bare",
        spread(ratios),
        budget=f"≤ {BUDGET}",
        met=middle <= BUDGET,
        raw={"ours_s": ours, "bare_s": bare},
    )
    section.add("bare, ms", spread([1000 * one for one in bare], 0))
    section.add("ours, ms", spread([1000 * one for one in ours], 0))
    section.add("zip", f"{size / 1024 / 1024:.1f} MiB", budget="≤ 8 MiB", met=size <= ZIP_BUDGET, raw=size)
    for package_name, millis in imports[:_TOP]:
        section.add(f"import of {package_name}, own time, ms", f"{millis:.0f}")
    return section


def _make_bare(task: Path) -> None:
    shutil.rmtree(task / "chalicelib")
    for path in task.glob("app.py*"):
        path.unlink()
    (task / "app.py").write_text(_BARE)
    compileall.compile_file(
        task / "app.py", quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )


def _start(
    task: Path, runtime: Path, handler: str, environment: Mapping[str, str], event: Any, log: Path
) -> float:
    began = time.perf_counter()
    with running(task, runtime, handler, environment, log) as function:
        answer = function.invoke(event)
        taken = time.perf_counter() - began
    if answer["statusCode"] != 200:
        raise RuntimeError(f"{handler} answered {answer}")
    return taken


def _imports(task: Path, runtime: Path, environment: Mapping[str, str]) -> list[tuple[str, float]]:
    """Return each package's import time in milliseconds, without what it imports in turn, longest first."""
    code = "import sys; sys.path[:0] = sys.argv[1:]; import app"
    log = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-X", "importtime", "-c", code, str(task), str(runtime)],
        env={"PATH": os.environ["PATH"], "AWS_LAMBDA_FUNCTION_NAME": "f", **environment},
        check=True,
        capture_output=True,
        text=True,
    ).stderr
    own: dict[str, float] = defaultdict(float)
    for line in log.splitlines():
        parts = line.removeprefix("import time:").split("|")
        if len(parts) == 3 and parts[0].strip().isdigit():
            top = parts[2].strip().partition(".")[0]
            known = (task / top).exists() or (runtime / top).exists() or top == "app"
            own[top if known else "the standard library"] += int(parts[0]) / 1000
    return sorted(own.items(), key=lambda each: -each[1])
