"""What every peer does alike: `bench` and `perplexity`, each printing one JSON object.

A peer is a script that runs in a Python of its own, derives from `Engine` and ends with `measure.main(Engine)`:

    python PEER.py bench MODEL --threads 2 -p 512 -n 128
    python PEER.py perplexity MODEL --threads 2 --windows windows.json
    python PEER.py export CHECKPOINT OUTPUT          (those that make a model of their own)
"""

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np


class Engine:
    """A loaded model and one sequence of tokens."""

    version = ""
    # What is worth knowing about the build.
    note = ""

    def __init__(self, path, threads):
        """Loads the model: what is timed as its load."""

    def reset(self):
        """Starts an empty sequence."""
        raise NotImplementedError

    def feed(self, ids):
        """Appends tokens and computes the logits of the last one."""
        raise NotImplementedError

    def likeliest(self):
        """The token that the logits of the last `feed` make most likely."""
        raise NotImplementedError

    def scores(self, ids):
        """Appends tokens and returns the logits of all of them: f32 [len(ids), vocabulary]."""
        raise NotImplementedError

    @staticmethod
    def export(checkpoint, output):
        """Makes a model of a checkpoint, for peers that read none of the files that are there."""
        raise NotImplementedError

    # Time, in seconds

    def prefill(self, ids):
        """Reads a prompt in an empty sequence."""
        self.reset()
        return seconds(lambda: (self.feed(ids), self.likeliest()))

    def decode(self, count):
        """Generates tokens after a prompt of one, the likeliest each time."""
        self.reset()
        self.feed([1])
        # The first steps may prepare what later ones use.
        self.extend(3)
        return seconds(lambda: self.extend(count))

    def extend(self, count):
        """Generates tokens."""
        for _ in range(count):
            self.feed([self.likeliest()])


def seconds(body):
    start = time.perf_counter()
    body()
    return time.perf_counter() - start


def prompt(count, number):
    """Synthetic tokens; each number makes another prompt, so that no engine can remember the last one."""
    return [(7919 * index + 104729 * number + 1) % 262144 for index in range(count)]


def bench(make, options):
    start = time.perf_counter()
    engine = make(str(options.model), options.threads)
    load = time.perf_counter() - start
    engine.prefill(prompt(options.p, 1))
    prefill = engine.prefill(prompt(options.p, 2))
    decode = engine.decode(options.n)
    return {
        "version": engine.version,
        "note": engine.note,
        "load_ms": 1000 * load,
        "prefill_tokens_per_second": options.p / prefill,
        "decode_tokens_per_second": options.n / decode,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def losses(logits, tokens):
    """-log softmax(logits)[token] for each row."""
    rows = np.asarray(logits, np.float32)
    largest = rows.max(axis=1, keepdims=True)
    sums = np.exp(rows - largest).sum(axis=1, dtype=np.float64)
    return np.log(sums) + largest[:, 0] - rows[np.arange(len(tokens)), tokens].astype(np.float64)


def perplexity(make, options, chunk=128):
    """exp of the mean loss over windows, each preceded by <bos>; every token of a window counts."""
    engine = make(str(options.model), options.threads)
    bos, windows = json.loads(options.windows.read_text())
    found = []
    for window in windows:
        inputs = [bos, *window[:-1]]
        engine.reset()
        for start in range(0, len(inputs), chunk):
            end = min(len(inputs), start + chunk)
            found.append(losses(engine.scores(inputs[start:end]), np.array(window[start:end])))
    found = np.concatenate(found)
    return {
        "perplexity": float(np.exp(found.mean())),
        "standard_error": float(np.exp(found.mean()) * found.std(ddof=1) / np.sqrt(len(found))),
        "tokens": len(found),
    }


def main(engine):
    parser = argparse.ArgumentParser(description="Measures one engine; bench_peers.py runs this.")
    commands = parser.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export")
    export.add_argument("checkpoint", type=Path)
    export.add_argument("output", type=Path)
    for name in ("bench", "perplexity"):
        command = commands.add_parser(name)
        command.add_argument("model", type=Path)
        command.add_argument("--threads", type=int, default=2)
    commands.choices["bench"].add_argument("-p", type=int, default=512, help="tokens of the prompt")
    commands.choices["bench"].add_argument("-n", type=int, default=128, help="new tokens")
    commands.choices["perplexity"].add_argument("--windows", type=Path, help="JSON: <bos> and lists of token ids")
    options = parser.parse_args()
    if options.command == "export":
        engine.export(str(options.checkpoint), str(options.output))
    else:
        print(json.dumps({"bench": bench, "perplexity": perplexity}[options.command](engine, options)))
