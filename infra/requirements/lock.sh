#!/bin/sh
# Write requirements.txt and infra/requirements/*.txt from the *.in files in this folder, with uv. A version changes only
# if an *.in file names another one. To upgrade an indirect dependency, add -P NAME. Usage: lock.sh [-P NAME …]
set -eu
cd "$(dirname "$0")/../.."
HERE=infra/requirements
uv=$(command -v uv || echo .venv/uv/bin/uv)

# lock FILE.in FILE.txt [argument …]
lock() {
    in=$1 out=$2
    shift 2
    # One file for every system and every Python from 3.11 on. It names no index: each machine uses its own.
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --custom-compile-command "make lock" "$@" "$in" --output-file "$out"
}

lock $HERE/package.in requirements.txt --no-deps "$@"
for name in run test uv; do
    lock $HERE/$name.in $HERE/$name.txt "$@"
done
