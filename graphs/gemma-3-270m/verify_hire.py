#!/usr/bin/env python3
"""Compares what a plan with a HiRE head writes with what its dense head writes, token for token.

    python verify_hire.py PLAN [--tandem .build/release/tandem] [--tokens 850] [--certified-tokens 320] [--json FILE]

Prompts of three kinds are continued greedily and at temperature 1: with top-k 64, with top-p 0.95, and with neither,
each with a seed of its own; the modes of the head take turns, so their speeds are those of one time. `deferred` and
`certified` (where the plan has bounds) must give the tokens of the dense head; `none` need not, and is counted up to
its first other token. Exits with 1 when a text that must be equal is not.
"""

import argparse
import json
import subprocess
import sys

PROMPTS = [
    "The history of the lighthouse begins with",
    "def quicksort(items):\n    \"\"\"Sorts a list in place.\"\"\"\n",
    "Le fleuve traverse la ville et",
    "Dear Dr. Wallace,\n\nThank you for your letter of 3 May. I have",
    "#include <stdio.h>\n\nint main(int argc, char **argv) {\n",
    "In der Küche roch es nach frischem Brot, als",
    "Question: Why is the sky blue at noon and red in the evening?\nAnswer:",
    "1. Preheat the oven to 180 degrees.\n2.",
]
SAMPLING = {
    "greedy": [],
    "top-k 64": ["--temperature", "1", "--top-k", "64"],
    "top-p 0.95": ["--temperature", "1", "--top-p", "0.95"],
    "temperature 1": ["--temperature", "1"],
}
# Without a top-k the mass of all tokens decides, which bounds do not tell: the dense head draws.
UNCERTIFIED = "top-p 0.95"


def generate(command, prompt, count, options):
    """The JSON object of `tandem run --json`."""
    result = subprocess.run(
        [*command, "--prompt", prompt, "-n", str(count), "--ignore-eos", "--json", *options],
        capture_output=True, text=True,
    )
    if result.returncode != 0:
        sys.exit(f"verify_hire: {result.stderr.strip()}")
    return json.loads(result.stdout)


def common(a, b):
    """Tokens before the first that differs."""
    return next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))


class Tally:
    """What one mode did with one kind of sampling."""

    def __init__(self):
        self.texts = self.equal = self.tokens = self.same = self.drawn = 0
        self.seconds = 0.0
        self.counts = dict.fromkeys(("verified_passes", "mismatches", "discarded_tokens", "dense_fallbacks", "overflows"), 0)
        self.survivors = {}

    def add(self, report, reference):
        ids = report["generated_ids"]
        same = common(ids, reference)
        self.texts += 1
        self.tokens += len(ids)
        self.same += same
        self.equal += same == len(ids)
        self.drawn += len(ids) - 1
        self.seconds += report["decode_ms"] / 1000
        for name in self.counts:
            self.counts[name] += report.get(name) or 0
        for part in report.get("survivors") or []:
            self.survivors[part["rows"]] = self.survivors.get(part["rows"], 0) + part["draws"]

    def line(self, sampling, mode):
        text = (f"{sampling:14s} {mode:10s} {self.equal:2d} of {self.texts} texts equal, {self.same:6d} of {self.tokens:6d}"
                f" tokens before a difference, {self.drawn / max(self.seconds, 1e-9):6.1f} tokens/s")
        if mode == "deferred":
            text += f"; {self.counts['verified_passes']} passes, {self.counts['mismatches']} tokens replaced"
        if self.survivors:
            rows = ", ".join(f"{rows}: {draws}" for rows, draws in self.survivors.items() if draws)
            text += f"; rows left [{rows}], {self.counts['overflows']} with too many"
        return text + (f", {self.counts['dense_fallbacks']} by the dense head" if mode != "dense" else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("plan")
    parser.add_argument("--tandem", default=".build/release/tandem", help="the tool")
    parser.add_argument("--threads", default="2")
    parser.add_argument("--tokens", type=int, default=850, help="of each text")
    parser.add_argument("--certified-tokens", type=int, default=320, help="of each text that is certified")
    parser.add_argument("--modes", default="none,deferred,certified")
    parser.add_argument("--json", help="a file for the counts")
    options = parser.parse_args()
    command = [options.tandem, "run", options.plan, "--threads", options.threads]
    modes = options.modes.split(",")
    tallies = {}
    for index, prompt in enumerate(PROMPTS):
        for number, (sampling, arguments) in enumerate(SAMPLING.items()):
            arguments = [*arguments, "--seed", str(100 * index + number)]
            dense = generate(command, prompt, options.tokens, [*arguments, "--head", "dense"])
            tallies.setdefault((sampling, "dense"), Tally()).add(dense, dense["generated_ids"])
            for mode in modes:
                if mode == "certified" and sampling == UNCERTIFIED and index > 0:
                    continue
                count = options.certified_tokens if mode == "certified" else options.tokens
                report = generate(command, prompt, count, [*arguments, "--exact", mode])
                tallies.setdefault((sampling, mode), Tally()).add(report, dense["generated_ids"])
                if mode != "none" and report["generated_ids"] != dense["generated_ids"][:count]:
                    print(f"{mode}, {sampling}, {prompt!r}: differs from the dense head", flush=True)
        print(f"{index + 1} of {len(PROMPTS)} prompts", file=sys.stderr, flush=True)
    for (sampling, mode), tally in tallies.items():
        print(tally.line(sampling, mode))
    failed = 0
    for mode in ("deferred", "certified"):
        chosen = [tally for (_, name), tally in tallies.items() if name == mode]
        tokens = sum(tally.tokens for tally in chosen)
        failed += sum(tally.texts - tally.equal for tally in chosen)
        if chosen:
            print(f"{mode}: {sum(t.equal for t in chosen)} of {sum(t.texts for t in chosen)} texts equal, {tokens} tokens")
    if options.json:
        with open(options.json, "w") as file:
            json.dump({f"{s}/{m}": vars(t) for (s, m), t in tallies.items()}, file, indent=1)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
