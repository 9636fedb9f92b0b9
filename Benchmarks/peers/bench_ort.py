#!/usr/bin/env python3
"""Writes greedy text with ONNX Runtime and reports its speed, in the fields of `tandem run --json`.

    python bench_ort.py MODEL.onnx --prompt "The capital of France is" -n 64 --threads 2 --json

The graph is one step of cached decoding (input_ids, attention_mask, position_ids, past_key_values.N.* -> logits,
present.N.*). The cache stays in ONNX Runtime's own buffers (IO binding): each step's `present` is the next one's `past`.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort


class Decoder:
    """Batch 1, greedy."""

    def __init__(self, path, threads):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.inputs = {value.name: value for value in self.session.get_inputs()}
        self.past = [name for name in self.inputs if name.startswith("past_key_values.")]
        self.outputs = ["logits"] + [name.replace("past_key_values", "present") for name in self.past]
        self.binding = self.session.io_binding()
        self.reset()

    def reset(self):
        """Empties the cache."""
        empty = lambda shape: np.zeros((1, shape[1], 0, shape[3]), np.float32)
        self.cache = [ort.OrtValue.ortvalue_from_numpy(empty(self.inputs[name].shape)) for name in self.past]
        self.length = 0

    def step(self, ids):
        """Takes new token ids and returns the likeliest next one."""
        total = self.length + len(ids)
        feeds = {
            "input_ids": np.array([ids], np.int64),
            "attention_mask": np.ones((1, total), np.int64),
            "position_ids": np.arange(self.length, total, dtype=np.int64)[None],
        }
        for name, value in feeds.items():
            if name in self.inputs:
                self.binding.bind_cpu_input(name, value)
        for name, value in zip(self.past, self.cache):
            self.binding.bind_ortvalue_input(name, value)
        for name in self.outputs:
            self.binding.bind_output(name, "cpu")  # a new buffer: shapes grow with every step
        self.session.run_with_iobinding(self.binding)
        logits, *self.cache = self.binding.get_outputs()
        self.length = total
        return int(logits.numpy()[0, -1].argmax())


def measure(options):
    """Loads, warms up, decodes, and returns the report as a dictionary."""
    start = time.perf_counter()
    decoder = Decoder(options.model, options.threads)
    load_ms = 1000 * (time.perf_counter() - start)

    tokenizer_file = options.model.parent / "tokenizer.json"
    if options.ids:
        tokenizer, prompt = None, options.ids
    else:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(tokenizer_file))
        prompt = tokenizer.encode(options.prompt).ids

    # The first steps of each shape allocate; they are not part of the measurement.
    token = decoder.step(prompt)
    for _ in range(3):
        token = decoder.step([token])
    decoder.reset()

    start = time.perf_counter()
    generated = [decoder.step(prompt)]
    prefill = time.perf_counter() - start
    start = time.perf_counter()
    while len(generated) < options.n:
        generated.append(decoder.step([generated[-1]]))
    decode = time.perf_counter() - start

    return {
        "engine": f"onnxruntime {ort.__version__}",
        "threads": options.threads,
        "prompt_ids": prompt,
        "generated_ids": generated,
        "text": tokenizer.decode(generated) if tokenizer else None,
        "load_ms": load_ms,
        "prefill_tokens_per_second": len(prompt) / prefill,
        "decode_tokens_per_second": (len(generated) - 1) / decode if len(generated) > 1 else 0.0,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def bench(options):
    """Speed as `tandem bench` measures it: a prompt of P synthetic tokens, then N tokens after a prompt of one."""
    start = time.perf_counter()
    decoder = Decoder(options.model, options.threads)
    load_ms = 1000 * (time.perf_counter() - start)
    vocabulary = decoder.session.get_outputs()[0].shape[-1]
    prompt = [(7919 * index + 1) % vocabulary for index in range(options.p)]
    decoder.step(prompt)  # allocates
    decoder.reset()
    start = time.perf_counter()
    decoder.step(prompt)
    prefill = time.perf_counter() - start
    decoder.reset()
    token = decoder.step([1])
    for _ in range(3):
        token = decoder.step([token])
    start = time.perf_counter()
    for _ in range(options.n):
        token = decoder.step([token])
    decode = time.perf_counter() - start
    return {
        "engine": f"onnxruntime {ort.__version__}",
        "threads": options.threads,
        "load_ms": load_ms,
        "prefill_tokens_per_second": options.p / prefill,
        "decode_tokens_per_second": options.n / decode,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path, help="a decoder with cache inputs; tokenizer.json lies beside it")
    parser.add_argument("--prompt", default="The capital of France is")
    parser.add_argument(
        "--ids", type=lambda text: [int(word) for word in text.split(",")], help="token ids instead, 2,818,5279"
    )
    parser.add_argument("-n", type=int, default=64, help="new tokens")
    parser.add_argument("-p", type=int, default=0, help="measure with a prompt of so many synthetic tokens, no text")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    report = bench(options) if options.p else measure(options)
    if options.json:
        print(json.dumps(report))
    else:
        print(report.get("text") or report.get("generated_ids", ""))
        print(
            f"{report['engine']}, {options.threads} threads: load {report['load_ms']:.0f} ms, "
            f"prefill {report['prefill_tokens_per_second']:.1f}, decode {report['decode_tokens_per_second']:.1f} tokens/s, "
            f"peak {report['peak_rss_bytes'] / 1e6:.0f} MB",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main()
