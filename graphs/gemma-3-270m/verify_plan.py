#!/usr/bin/env python3
"""Checks a plan of Gemma 3 270M, compiled with `--weights f32`, against `expected/`: tokenizer, logits, greedy text.

    python verify_plan.py PLAN [--tandem .build/release/tandem]            (needs numpy)

`expected/greedy.json` was recorded with PyTorch in f32. A greedy token must be equal up to the first step at which the
two best logits were closer than 0.02 (rounding may decide there), and the first logits must agree within 0.01.
`expected/tokenizer.json` must be met exactly.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

EXPECTED = Path(__file__).parent / "expected"
CLOSE_CALL = 0.02
LOGIT_TOLERANCE = 0.01


class Tandem:
    """Runs the command-line tool on one plan."""

    def __init__(self, tool, plan, threads):
        self.command = [tool, "run", str(plan), "--threads", str(threads)]

    def generate(self, text, count):
        """The JSON object of `tandem run --json` for a prompt."""
        # A final newline is dropped from a prompt file, so one more is given.
        result = subprocess.run(
            [*self.command, "--prompt-file", "-", "-n", str(count), "--ignore-eos", "--json"],
            input=text + "\n", capture_output=True, text=True, check=True,
        )
        return json.loads(result.stdout)

    def logits(self, ids):
        """Logits of the last position after the tokens `ids`."""
        with tempfile.TemporaryDirectory() as folder:
            np.save(f"{folder}/ids.npy", np.array([ids], np.int64))
            subprocess.run(
                [*self.command, "--input", f"input_ids={folder}/ids.npy", "--output", f"{folder}/out"],
                check=True, capture_output=True,
            )
            return np.load(f"{folder}/out/logits.npy").reshape(-1)


def check_tokenizer(tandem):
    """Returns a line for every text whose ids differ."""
    failures = []
    cases = json.loads((EXPECTED / "tokenizer.json").read_text())
    for case in cases:
        ids = tandem.generate(case["text"], 1)["prompt_ids"]
        if ids != case["ids"]:
            failures.append(f"tokenizer: {case['text']!r} gives {ids}, expected {case['ids']}")
    print(f"tokenizer: {len(cases) - len(failures)} of {len(cases)} texts equal")
    return failures


def check_prompt(tandem, case):
    """Runs one prompt greedily and returns what is wrong with it."""
    prompt, failures = case["prompt"], []
    result = tandem.generate(prompt, len(case["generated_ids"]))
    if result["prompt_ids"] != case["prompt_ids"]:
        failures.append(f"{prompt!r}: prompt ids differ: {result['prompt_ids']}")
    logits = tandem.logits(case["prompt_ids"])
    difference = max(abs(float(logits[token]) - value) for token, value in case["first_step_top10"])
    if difference > LOGIT_TOLERANCE:
        failures.append(f"{prompt!r}: first logits differ by {difference:.3g}")
    equal = 0
    for found, token, gap in zip(result["generated_ids"], case["generated_ids"], case["top1_top2_gap"]):
        if found != token:
            if gap >= CLOSE_CALL:
                failures.append(f"{prompt!r}: step {equal} gives {found}, expected {token} (gap {gap})")
            break
        equal += 1
    if equal == len(case["generated_ids"]) and result["text"] != case["text"]:
        failures.append(f"{prompt!r}: equal tokens decode to {result['text']!r}")
    print(f"{equal:3d} of {len(case['generated_ids'])} tokens equal, logits within {difference:.1e}: {prompt[:60]!r}")
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("plan", type=Path)
    parser.add_argument("--tandem", default=".build/release/tandem", help="the tool")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    tandem = Tandem(options.tandem, options.plan, options.threads)
    failures = check_tokenizer(tandem)
    for case in json.loads((EXPECTED / "greedy.json").read_text()):
        failures += check_prompt(tandem, case)
    print("\n".join(failures) or "all checks passed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
