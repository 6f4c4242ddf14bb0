"""`make publish`: put a release into a bucket in each region, and print the URLs that install it.

Usage: python -m infra.publish.publish --version 0.2.0 --bucket acme [--regions "eu-central-1 us-east-1"] [--readers …]
"""

import argparse
import dataclasses
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final
from urllib.parse import quote, urlencode

from infra.errors import CommandError
from infra.package.build import Package
from infra.package.dependencies import ARM
from infra.paths import BUILD
from infra.publish.buckets import FOLDER, PUBLIC, PublishError, Readers, parse_readers, put_new, ready_bucket
from infra.publish.template import install_template
from infra.release.packages import package_of_tree
from infra.release.records import Release, is_recorded, release_of
from infra.stack.account import Account, explained, open_account

STACK: Final = "admit-one-prod"
_MAX_PREFIX: Final = 40  # with the longest region, the name stays below S3's limit of 63

# AWS, "Creating quick-create links": parameters without a value keep the template's default.
_QUICK_CREATE: Final = "https://{region}.console.aws.amazon.com/cloudformation/home?region={region}#/stacks/create/review?{query}"


@dataclass(frozen=True)
class Published:
    """A release in one region: the template's URL, and the URL that installs it in the AWS console."""

    region: str
    template_url: str
    install_url: str


def publish(
    account: Account,
    package: Package,
    *,
    prefix: str,
    regions: Sequence[str],
    readers: Readers | None,
    say: Callable[[str], None],
) -> list[Published]:
    """Put a package and its template into the bucket `<prefix>-<region>` of each region; return where they are.

    Objects that exist are compared and not written again. Raise `PublishError`, `ClientError`.
    """
    _check_prefix(prefix)
    version = package.version
    key = f"{FOLDER}{version}/{package.digest}.zip"
    archive, template = package.archive.read_bytes(), install_template(package, prefix, key)
    done = []
    for region in regions:
        there = dataclasses.replace(account, region=region)
        bucket = f"{prefix}-{region}"
        ready_bucket(there, bucket, readers)
        s3, owner = there.client("s3"), {"ExpectedBucketOwner": account.account_id}
        template_key = f"{FOLDER}{version}/admit-one.json"
        new = put_new(s3, bucket, key, archive, owner)  # before the template that refers to it
        # A later version of this command may generate another template for the same zip; the published one stays.
        new = put_new(s3, bucket, template_key, template, owner, same=lambda it: key.encode() in it) or new
        url = f"{s3.meta.endpoint_url}/{bucket}/{template_key}"
        say(f"{region}: {'published' if new else 'already published, unchanged'}: {url}")
        done.append(Published(region, url, quick_create_url(region, url)))
    return done


def quick_create_url(region: str, template_url: str, parameters: Mapping[str, str] | None = None) -> str:
    """Return the URL of the console's page that creates a stack from a template, with parameters filled in."""
    given = {f"param_{name}": value for name, value in (parameters or {}).items()}
    query = {"templateURL": template_url, "stackName": STACK, **given}
    return _QUICK_CREATE.format(region=region, query=urlencode(query, quote_via=quote))


def install_text(version: str, published: Sequence[Published]) -> str:
    """Return a page for those who install: a link for each region, and the steps after it."""
    rows = [f"| {each.region} | [install]({each.install_url}) | {each.template_url} |" for each in published]
    page = Template(Path(__file__).with_name("install.md").read_text())
    return page.substitute(version=version, rows="\n".join(rows))


def released_package(release: Release, folder: Path) -> Package:
    """Return a release's package: the one that `make release` wrote, if it is here, else one that is built in `folder`.

    Raise `PublishError` if its zip is not the recorded one.
    """
    made = BUILD / "releases" / release.version
    package = Package(
        made / f"admit-one-{release.version}-{ARM}.zip", made / f"admit-one-{release.version}.template.json"
    )
    if not (package.archive.exists() and is_recorded(package, release)):
        package = package_of_tree(release.tree, folder, stage=release.stage)
    if not is_recorded(package, release):
        raise PublishError(
            f"This machine builds another zip or template of {release.version} than the recorded one. Run make "
            f"release-check VERSION={release.version} to find the reason, and publish from a machine that builds the "
            f"recorded ones: it was compiled by Python {release.python}."
        )
    return package


def _check_prefix(prefix: str) -> None:
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789-")
    if not (3 <= len(prefix) <= _MAX_PREFIX and set(prefix) <= allowed and prefix[0] != "-"):
        raise PublishError(
            f"BUCKET={prefix!r} must have 3 to {_MAX_PREFIX} lower-case letters, digits and hyphens, and not begin "
            "with a hyphen. The region is added to it: BUCKET=acme-releases gives acme-releases-eu-central-1."
        )


def _say(line: str) -> None:
    print(line, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Publish a release; return the exit status."""
    parser = argparse.ArgumentParser(prog="make publish", description=__doc__.partition("\n")[0])
    parser.add_argument("--version", required=True)
    parser.add_argument(
        "--bucket", required=True, help="the start of the buckets' names; the region is added"
    )
    parser.add_argument("--regions", default="", help="the regions to publish to (default: the one in use)")
    parser.add_argument("--readers", default="", help="account ids, an organization's id, public, or none")
    parser.add_argument("--confirm", default="", help="public, if everybody may read")
    given = parser.parse_args(arguments)
    try:
        readers, release = parse_readers(given.readers), release_of(given.version)
        if readers and readers.everybody and given.confirm != PUBLIC:
            raise PublishError(
                "READERS=public lets everybody read the published objects. To confirm, add CONFIRM=public."
            )
        with explained(), tempfile.TemporaryDirectory() as folder:
            account = open_account()
            print(f"Account {account.account_id}, as {account.identity}")
            package = released_package(release, Path(folder) / "tree")
            regions = given.regions.replace(",", " ").split() or [account.region]
            done = publish(account, package, prefix=given.bucket, regions=regions, readers=readers, say=_say)
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    page = BUILD / "releases" / given.version / "install.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(install_text(given.version, done))
    for each in done:
        print(f"Install in {each.region}: {each.install_url}")
    print(f"{page.relative_to(BUILD.parent)} contains these links and the installation steps.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
