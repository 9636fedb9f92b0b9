#!/usr/bin/env python3
"""Checks an export of Gemma 3 270M: its tokenizer, and its greedy text in ONNX Runtime, against `expected/`.

    python validate.py FOLDER            (needs onnxruntime and tokenizers, see ../requirements-check.txt)

`expected/greedy.json` was recorded with PyTorch in f32. A greedy token must be equal up to the first step at which the
two best logits were closer than 0.02 (rounding may decide there), and the first logits must agree within 0.01.

A graph whose metadata says that its weights are quantized is another model. It must choose the expected token at half
of the steps at least, each step after the expected text so far.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

EXPECTED = Path(__file__).parent / "expected"
CLOSE_CALL = 0.02
LOGIT_TOLERANCE = 0.01
QUANTIZED_AGREEMENT = 0.5

# genai's name for the length of a cache with a window, and the length we give it: the window or more, and all tokens.
SHARED_CACHE = "past_sliding_length"
SHARED_CACHE_LENGTH = 1024
HEAD_SIZE = 256


def session_of(path, threads):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Decoder:
    """Feeds tokens to the graph step by step and keeps the cache between the steps.

    A cache grows from nothing; but in a genai graph with `sliding_window_cache`, for which ONNX Runtime refuses an
    empty cache, it is a buffer of fixed length: GroupQueryAttention takes the number of tokens in it from the mask.
    """

    def __init__(self, session):
        self.session = session
        self.inputs = {i.name for i in session.get_inputs()}
        self.outputs = [output.name for output in session.get_outputs()]
        self.shapes = {i.name: i.shape for i in session.get_inputs() if i.name.startswith("past_key_values")}
        self.shares_cache = any(SHARED_CACHE in shape for shape in self.shapes.values())

    def start(self, batch=1):
        """Empties the cache."""
        length = SHARED_CACHE_LENGTH if self.shares_cache else 0
        shape = lambda dims: (batch, dims[1], length, HEAD_SIZE)
        self.cache = {name: np.zeros(shape(dims), np.float32) for name, dims in self.shapes.items()}
        self.mask = np.zeros((batch, 0), np.int64)

    def step(self, ids, mask=None):
        """ids[batch, new] -> logits[batch, vocabulary] of the last of them; `mask` is 0 at padding on the left."""
        ids = np.asarray(ids, np.int64)
        mask = np.ones_like(ids) if mask is None else np.asarray(mask, np.int64)
        past = self.mask.shape[1]
        self.mask = np.concatenate([self.mask, mask], axis=1)
        positions = np.maximum(np.cumsum(self.mask, axis=1) - 1, 0)[:, past:]
        feeds = {"input_ids": ids, "attention_mask": self.mask, "position_ids": positions, **self.cache}
        feeds = {name: value for name, value in feeds.items() if name in self.inputs}
        results = dict(zip(self.outputs, self.session.run(None, feeds)))
        self.cache = {name: results[name.replace("past_key_values", "present")] for name in self.cache}
        return results["logits"][:, -1]


def check_tokenizer(tokenizer):
    """Returns a line for every text of the tokenizer list whose ids differ."""
    failures = []
    for case in json.loads((EXPECTED / "tokenizer.json").read_text()):
        ids = tokenizer.encode(case["text"]).ids
        if ids != case["ids"]:
            failures.append(f"tokenizer: {case['text']!r} gives {ids}, expected {case['ids']}")
    return failures


def check_prompt(decoder, case):
    """Runs one prompt greedily. Returns the steps compared, the largest difference in logits, and failures."""
    decoder.start()
    logits = decoder.step([case["prompt_ids"]])[0]
    difference = max(abs(float(logits[token]) - value) for token, value in case["first_step_top10"])
    failures = (
        [] if difference <= LOGIT_TOLERANCE else [f"{case['prompt']!r}: first logits differ by {difference:.3g}"]
    )
    for step, (token, gap) in enumerate(zip(case["generated_ids"], case["top1_top2_gap"])):
        chosen = int(logits.argmax())
        if chosen != token:
            if gap >= CLOSE_CALL:
                failures.append(f"{case['prompt']!r}: step {step} gives {chosen}, expected {token} (gap {gap})")
            return step, difference, failures
        logits = decoder.step([[token]])[0]
    return len(case["generated_ids"]), difference, failures


def check_quantized_prompt(decoder, case):
    """Feeds one prompt and its expected text. Returns at how many steps the graph chooses the expected token."""
    decoder.start()
    logits = decoder.step([case["prompt_ids"]])[0]
    agreed = 0
    for token in case["generated_ids"]:
        agreed += int(logits.argmax()) == token
        logits = decoder.step([[token]])[0]
    return agreed


def check_padding(decoder, cases):
    """A batch of two prompts, the shorter padded on the left, must give the logits that each gives alone."""
    prompts = [case["prompt_ids"] for case in cases]
    alone = []
    for prompt in prompts:
        decoder.start()
        decoder.step([prompt])
        alone.append(decoder.step([[506]])[0])
    width = max(map(len, prompts))
    decoder.start(batch=2)
    decoder.step(
        [[0] * (width - len(p)) + p for p in prompts], [[0] * (width - len(p)) + [1] * len(p) for p in prompts]
    )
    difference = float(np.abs(decoder.step([[506], [506]]) - alone).max())
    return difference, [] if difference <= LOGIT_TOLERANCE else [f"padded batch differs by {difference:.3g}"]


def check_exact(decoder, cases):
    """Checks all prompts, and left padding where the graph has it, and prints how close they are."""
    failures = []
    for case in cases:
        steps, difference, failed = check_prompt(decoder, case)
        failures += failed
        print(
            f"{steps:3d} of {len(case['generated_ids'])} tokens equal, logits within {difference:.1e}: "
            f"{case['prompt'][:60]!r}"
        )
    if decoder.shares_cache:
        print("left-padded batch of two: not checked, GroupQueryAttention takes padding on the right only")
        return failures
    difference, failed = check_padding(
        decoder, sorted(cases, key=lambda c: len(c["prompt_ids"]))[:: len(cases) - 1]
    )
    print(f"left-padded batch of two: logits within {difference:.1e}")
    return failures + failed


def check_quantized(decoder, cases, quantization):
    """Checks and prints how often a graph with quantized weights chooses the expected tokens."""
    print(f"quantized weights: {quantization}")
    agreed = sum(check_quantized_prompt(decoder, case) for case in cases)
    steps = sum(len(case["generated_ids"]) for case in cases)
    print(f"{agreed} of {steps} expected tokens chosen, each after the expected text so far")
    if agreed < QUANTIZED_AGREEMENT * steps:
        return [f"quantized weights choose {agreed} of {steps} expected tokens, less than {QUANTIZED_AGREEMENT:.0%}"]
    return []


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="with model.onnx, its external data and tokenizer.json")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    tokenizer = Tokenizer.from_file(str(options.folder / "tokenizer.json"))
    failures = check_tokenizer(tokenizer)
    start = time.perf_counter()
    decoder = Decoder(session_of(options.folder / "model.onnx", options.threads))
    print(f"loaded in {time.perf_counter() - start:.1f} s")
    cases = json.loads((EXPECTED / "greedy.json").read_text())
    for case in cases:
        if tokenizer.encode(case["prompt"]).ids != case["prompt_ids"]:
            failures.append(f"tokenizer: prompt {case['prompt']!r} differs")
        if tokenizer.decode(case["generated_ids"]) != case["text"]:
            failures.append(f"tokenizer: text after {case['prompt']!r} decodes differently")
    quantization = decoder.session.get_modelmeta().custom_metadata_map.get("quantization")
    failures += check_quantized(decoder, cases, quantization) if quantization else check_exact(decoder, cases)
    print("\n".join(failures) or "all checks passed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
