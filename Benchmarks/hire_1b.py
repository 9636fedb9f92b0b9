#!/usr/bin/env python3
"""Measures a group-sparse model four ways - dense, HiRE softmax, HiRE FFN, both - in turns.

    python hire_1b.py MODEL.onnx FOLDER --tokenizer tokenizer.json --calibration OTHER.txt --text FILE.txt --rounds 5

Prints the speeds beside the paper's and beside what bytes per token predict; then the cost of blocks of 1 to 8 tokens with the
neurons that their tokens use together, in layers that keep groups and in the others. Plans are converted anew when the model or
the tool is newer.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

# Options of `convert`.
PLANS = {"softmax": ["--head", "hire", "--exact", "none"], "both": ["--head", "hire", "--exact", "none", "--ffn", "hire"]}
# Plan and head: a plan with a HiRE head has the dense one, too. Last the speed-up that HiRE reports (tables 1 and 2 of
# arXiv 2402.09360, one TPUv5e).
FORMS = {
    "dense": ("softmax", "dense", 1.0),
    "softmax": ("softmax", "hire", 1.22),
    "FFN": ("both", "dense", 1.16),
    "both": ("both", "hire", 1.47),
}
BLOCKS = range(1, 9)


class Tandem:
    def __init__(self, tool):
        self.tool = tool

    def run(self, *arguments):
        done = subprocess.run([self.tool, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(done.returncode)
        return done.stdout

    def json(self, *arguments):
        return json.loads(self.run(*arguments, "--json"))


def compile_all(tandem, options):
    plans = {name: options.folder / f"{name}.plan" for name in PLANS}
    sources = [Path(options.tandem), options.model, options.tokenizer, options.calibration]
    changed = max(source.stat().st_mtime for source in sources)
    for name, arguments in PLANS.items():
        if not plans[name].exists() or plans[name].stat().st_mtime < changed:
            arguments = [*arguments, "--tokenizer", options.tokenizer, "--calibration", options.calibration]
            print(tandem.run("convert", options.model, "-o", plans[name], *arguments), flush=True)
    return plans


def measure(tandem, plans, rounds):
    """Decoding in turns: tokens per second by round, and bytes per token."""
    speeds, size = {name: [] for name in FORMS}, {}
    for _ in range(rounds):
        for name, (plan, head, _) in FORMS.items():
            arguments = ["--head", head, "-p", 0, "-n", 32, "--blocks", 0, "-r", 1]
            result = tandem.json("bench", plans[plan], *arguments)["results"][0]
            speeds[name].append(result["tokens_per_second"]["median"])
            size[name] = result["bytes_per_token"]
    return speeds, size


def speed_table(speeds, size):
    print("| plan | tokens/s | times dense | the paper's | MB per token | by bytes |\n|---|---|---|---|---|---|")
    for name, values in speeds.items():
        ratios = sorted(ours / dense for ours, dense in zip(values, speeds["dense"]))
        print(
            f"| {name} | {statistics.median(values):.1f} | {statistics.median(ratios):.2f} ({ratios[0]:.2f} - {ratios[-1]:.2f}) "
            f"| {FORMS[name][2]:.2f} | {size[name] / 1e6:.0f} | {size['dense'] / size[name]:.2f} |"
        )


def has_groups(block):
    """Whether a block is one of those that keep the best groups: the 1st, 3rd, ... of `graphs/hire-1b/export.py`."""
    return int(re.search(r"layers\.(\d+)", block["location"])[1]) % 2 == 0


def union(blocks, count):
    """The mean share of neurons that `count` tokens use together."""
    shares = [block["density"]["union"][str(count)] for block in blocks]
    return f"{statistics.mean(shares) * 100:.1f} %" if shares else "-"


def block_table(tandem, plans, text, rounds):
    """Blocks of the dense plan and of the sparse one, and the union of neurons that tokens of the text use."""
    sizes = ",".join(map(str, BLOCKS))
    arguments = ["--head", "dense", "-p", 0, "-n", 0, "--blocks", sizes, "-r", rounds]
    dense, sparse = (tandem.json("bench", plans[name], *arguments)["block_cost"] for name in PLANS)
    print("\n| tokens | dense, ms | sparse, ms | over one token, dense | sparse | union of neurons, group-sparse layers | others |")
    print("|---|---|---|---|---|---|---|")
    for index, count in enumerate(BLOCKS):
        arguments = ["--text", text, "--tokens", 64 * count, "--rows", count]
        blocks = tandem.json("eval", plans["both"], *arguments)["blocks"]
        grouped = [block for block in blocks if has_groups(block)]
        others = [block for block in blocks if not has_groups(block)]
        times = " | ".join(f"{cost[index]['ms']['median']:.1f}" for cost in (dense, sparse))
        ratios = " | ".join(f"{cost[index]['ratio']:.2f}" for cost in (dense, sparse))
        print(f"| {count} | {times} | {ratios} | {union(grouped, count)} | {union(others, count)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokenizer", type=Path, required=True, help="of any model: the text is only tokens")
    parser.add_argument("--calibration", type=Path, required=True, help="a text to calibrate with")
    parser.add_argument("--text", type=Path, required=True, help="another, to count neurons on")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tandem", default=".build/release/tandem")
    options = parser.parse_args()
    tandem = Tandem(options.tandem)
    plans = compile_all(tandem, options)
    speed_table(*measure(tandem, plans, options.rounds))
    block_table(tandem, plans, options.text, options.rounds)


if __name__ == "__main__":
    main()
