#!/usr/bin/env python3
"""Compiles a graph and measures the plan: time and memory of the conversion, then what `tandem bench` says.

    python convert_and_bench.py MODEL.onnx MODEL.plan --weights auto

Memory is told apart: what the conversion took for itself, and that with the pages of the files it maps, which the system
takes back when it needs them.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path


def memory(process):
    """Bytes that a process has taken for itself, and all that is resident; nothing when it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0, 0
    fields = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Rss") or line.startswith("VmRSS")}
    return 1024 * int(fields.get("RssAnon", 0)), 1024 * int(fields.get("VmRSS", 0))


def convert(command):
    """Runs the conversion. Returns seconds and the peaks of both kinds of memory."""
    start, own, resident = time.perf_counter(), 0, 0
    process = subprocess.Popen(command)
    while process.poll() is None:
        now = memory(process.pid)
        own, resident = max(own, now[0]), max(resident, now[1])
        time.sleep(0.02)
    if process.returncode:
        sys.exit(process.returncode)
    return time.perf_counter() - start, own, resident


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--weights", default="auto")
    parser.add_argument("--tandem", default=".build/release/tandem")
    parser.add_argument("bench", nargs="*", help="arguments of `tandem bench`, after --")
    options = parser.parse_args()
    command = [options.tandem, "convert", options.model, "-o", options.plan, "--weights", options.weights]
    seconds, own, resident = convert([str(word) for word in command])
    sources = sum(file.stat().st_size for file in options.model.parent.glob("model.onnx*"))
    print(
        f"\nconverted {sources / 1e9:.2f} GB to {options.plan.stat().st_size / 1e9:.2f} GB in {seconds:.0f} s; memory at "
        f"most {own / 1e9:.2f} GB of its own, {resident / 1e9:.2f} GB with pages of mapped files\n",
        flush=True,
    )
    sys.exit(subprocess.run([options.tandem, "bench", str(options.plan), *options.bench]).returncode)


if __name__ == "__main__":
    main()
