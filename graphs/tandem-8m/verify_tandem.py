#!/usr/bin/env python3
"""Compares what the pair writes with what its large model writes alone, token for token, and counts accepted drafts.

    python verify_tandem.py [--tandem .build/release/tandem] [--tokens 480] [--texts 42] [--text FILE] [--json FILE]

Three plans are made of `model.onnx` and `small.onnx`: the pair, one whose small model is random numbers, and one whose small
model sees zeros in place of hidden states. Texts are continued greedily and at temperature 1 with seeds of their own, in
drafts of 1 to 8 tokens and adaptive ones, every second text with one thread and the others with two. Exits with 1 when a text
is not that of the large model alone. With `--text`, prompts are pieces of that file, else lists of words.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

FOLDER = Path(__file__).parent
WORDS = "The server driver file module query table index of for with and is a not configured when default value".split()
BLOCKS = ["1", "2", "3", "4", "5", "6", "7", "8", "auto"]
SAMPLING = {"greedy": [], "temperature 1": ["--temperature", "1"]}


def weights(graph):
    """Names of the small model's own numbers: matrices and gains, not tables of angles."""
    return [tensor for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT and tensor.dims]


def changed(model, change):
    """A copy with other numbers in some weights."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in weights(copy.graph):
        values = change(tensor.name, numpy_helper.to_array(tensor))
        if values is not None:
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float32), tensor.name))
    return copy


def random_numbers(name, values):
    if name in ("cos", "sin") or values.ndim < 2:
        return None
    return np.random.default_rng(len(name) + values.size).standard_normal(values.shape) * values.std()


def no_states(name, values):
    return np.zeros_like(values) if name.endswith(".proj") else None


class Tool:
    def __init__(self, path, folder):
        self.path, self.folder = path, Path(folder)

    def call(self, *arguments, prompt=None):
        result = subprocess.run([self.path, *arguments], input=prompt, capture_output=True, text=True)
        if result.returncode != 0:
            sys.exit(f"verify_tandem: {result.stderr.strip()}")
        return result.stdout

    def convert(self, name, small):
        onnx.save(small, self.folder / f"{name}.onnx")
        plan = str(self.folder / f"{name}.plan")
        self.call("convert", str(FOLDER / "model.onnx"), "--tandem", str(self.folder / f"{name}.onnx"), "-o", plan)
        return plan

    def generate(self, plan, prompt, count, threads, options):
        common = ["--prompt-file", "-", "-n", str(count), "--ignore-eos", "--json", "--threads", str(threads)]
        return json.loads(self.call("run", plan, *common, *options, prompt=prompt))


def prompts(options):
    if options.text:
        text = Path(options.text).read_text()
        places = np.linspace(0, len(text) - 1000, options.texts).astype(int)
        return [text[place : place + options.prompt] for place in places]
    random = np.random.default_rng(1)
    return [" ".join(random.choice(WORDS, 1 + index % 12)) for index in range(options.texts)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tandem", default=".build/release/tandem", help="the tool")
    parser.add_argument("--tokens", type=int, default=480, help="of each text")
    parser.add_argument("--texts", type=int, default=42)
    parser.add_argument("--text", help="a file that prompts are cut from")
    parser.add_argument("--prompt", type=int, default=80, help="characters of a prompt that is cut")
    parser.add_argument("--blocks", default=",".join(BLOCKS))
    parser.add_argument("--models", default="pair,hostile,blind")
    parser.add_argument("--sampling", default=",".join(SAMPLING))
    parser.add_argument("--json", help="a file for the counts")
    options = parser.parse_args()
    small = onnx.load(FOLDER / "small.onnx")
    models = {"pair": small, "hostile": changed(small, random_numbers), "blind": changed(small, no_states)}
    counts, failed, total = {}, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        tool = Tool(options.tandem, folder)
        plans = {name: tool.convert(name, models[name]) for name in options.models.split(",")}
        for index, prompt in enumerate(prompts(options)):
            threads = 1 + index % 2
            for sampling in options.sampling.split(","):
                arguments = [*SAMPLING[sampling], "--seed", str(index + 1)]
                plan = next(iter(plans.values()))
                alone = tool.generate(plan, prompt, options.tokens, threads, [*arguments, "--draft", "none"])
                for name, plan in plans.items():
                    for block in options.blocks.split(","):
                        draft = ["--draft", "tandem", "--block", block]
                        found = tool.generate(plan, prompt, options.tokens, threads, [*arguments, *draft])
                        count = counts.setdefault(
                            f"{name}, {sampling}, {block}",
                            dict.fromkeys(("texts", "equal", "tokens", "passes", "drafted", "accepted", "ms", "plain_ms"), 0),
                        )
                        count["texts"] += 1
                        count["equal"] += found["generated_ids"] == alone["generated_ids"]
                        count["tokens"] += len(found["generated_ids"])
                        count["passes"] += found["large_passes"]
                        count["drafted"] += found["drafted"]
                        count["accepted"] += found["accepted"]
                        count["ms"] += found["decode_ms"]
                        count["plain_ms"] += alone["decode_ms"]
            print(f"{index + 1} of {options.texts} texts", file=sys.stderr, flush=True)
    for key, count in counts.items():
        failed += count["texts"] - count["equal"]
        total += count["tokens"]
        print(
            f"{key:28s} {count['equal']} of {count['texts']} texts equal, {count['tokens']} tokens; accepted"
            f" {count['accepted'] / max(1, count['passes']):.2f} a pass, {100 * count['accepted'] / max(1, count['drafted']):.0f} %;"
            f" {count['plain_ms'] / max(1e-9, count['ms']):.2f} times as fast"
        )
    print(f"{total} tokens, {failed} texts differ")
    if options.json:
        Path(options.json).write_text(json.dumps(counts, indent=1))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
