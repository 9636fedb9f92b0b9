"""Writes texts of three kinds into a folder, from packages of Debian 12: prose, code and French, each once to measure
with (KIND.txt) and, from other works or chapters, once to calibrate with (KIND.calibration.txt)."""

import gzip
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

PACKAGES = [
    "r-cran-janeaustenr", "debian-policy", "libpython3.11-stdlib", "zlib1g-dev", "vim-runtime", "debian-reference-fr"
]
EXCERPT = 4500  # characters
MEASURED = 8  # excerpts of a kind, about 8,000 tokens of Gemma 3
CALIBRATED = 80_000  # characters


def novels(path):
    """The lines of the novels in a lazy-load database of R: blocks of a length and a zlib stream each."""
    data, start = path.read_bytes(), 0
    while start < len(data):
        stream = zlib.decompressobj()
        block = stream.decompress(data[start + 4 :])
        start = len(data) - len(stream.unused_data)
        lines, place = [], 0
        while match := re.compile(rb"\0[\0\4]\0\t").search(block, place):  # a string: its length follows
            (length,) = struct.unpack(">i", block[match.end() : match.end() + 4])
            place = match.end() + 4 + max(0, length)
            lines.append(block[match.end() + 4 : place].decode())
        if len(lines) > 1000:
            yield paragraphs("\n".join(lines))


def paragraphs(text, keeps=lambda paragraph: True):
    """Text whose paragraphs are one line each."""
    parts = (re.sub(r"\s*\n\s*", " ", part).strip() for part in re.split(r"\n\s*\n", text))
    return "\n\n".join(part for part in parts if part and keeps(part))


def is_french(paragraph):
    """Not a table, a listing or what is not translated."""
    words = re.findall(r"\w+", paragraph.lower())
    articles = sum(word in ("le", "la", "les", "de", "des", "un", "une", "est") for word in words)
    return len(words) > 12 and articles > len(words) / 12


def excerpts(works, count):
    """Parts of works in turns, evenly spread over each."""
    parts, each = [], -(-count // len(works))
    for turn in range(each):
        for work in works[: count - len(parts)]:
            start = work.index("\n", len(work) * (turn * 2 + 1) // (each * 2 + 1)) + 1
            parts.append(work[start : work.rindex(" ", start, start + EXCERPT)].strip("\n"))
    return "\n\n".join(parts) + "\n"


def main(folder):
    packages = folder / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "download", "-qq", *PACKAGES], cwd=packages, check=True)
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package.name, "."], cwd=packages, check=True)
    usr = packages / "usr"
    document = lambda path: gzip.decompress((usr / "share" / path).read_bytes()).decode()
    austen = list(novels(usr / "lib/R/site-library/janeaustenr/data/Rdata.rdb"))
    policy = paragraphs(document("doc/debian-policy/policy.txt.gz"))
    python = lambda names: [(usr / "lib/python3.11" / f"{name}.py").read_text() for name in names.split()]
    c = [(usr / "share/doc/zlib1g-dev/examples" / name).read_text() for name in ("gun.c", "enough.c")]
    reference = document("debian-reference/debian-reference.fr.txt.gz")
    middle = len(reference) // 2
    french = [paragraphs(part, is_french) for part in (reference[:middle], reference[middle:])]
    tutor = paragraphs((usr / "share/vim/vim90/tutor/tutor.fr.utf-8").read_text(), is_french)
    measured = {
        "prose": [austen[3], policy],
        "code": python("difflib tarfile statistics shutil") + c,
        "french": [tutor, french[0]],
    }
    calibrated = {
        "prose": [austen[0]],
        "code": python("pydoc mailbox imaplib"),
        "french": [french[1]],
    }
    for kind, works in measured.items():
        (folder / f"{kind}.txt").write_text(excerpts(works, MEASURED))
    for kind, works in calibrated.items():
        text = "\n".join(work[: CALIBRATED // len(works)] for work in works)
        (folder / f"{kind}.calibration.txt").write_text(text)


main(Path(sys.argv[1]))
