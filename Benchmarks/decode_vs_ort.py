#!/usr/bin/env python3
"""Compares the decoding speed of a tandem plan with ONNX Runtime on the graph that the plan was made of.

    python decode_vs_ort.py MODEL.plan MODEL.onnx --rounds 5 -n 128

Both write the same greedy text with the same number of threads, in turns (tandem, ONNX Runtime, tandem, ...), because the
memory bandwidth of a shared machine wanders: only numbers of one round can be compared. Each round begins with a probe of
that bandwidth. Where permitted (root on Linux) the two run at the highest scheduler priority. Medians and the ratio within
the rounds go to stdout, progress to stderr.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np  # noqa: E402  (after the line above, which it reads)

ORT = Path(__file__).parent / "peers" / "bench_ort.py"
RATE = "decode_tokens_per_second"


def raise_priority():
    """Runs in the child before its command: a scheduler group of its own, first in line. Without permission, nothing."""
    os.setsid()
    try:
        # With autogrouping, nice values count only inside a group, so the group gets one too.
        Path("/proc/self/autogroup").write_text("-20")
        os.setpriority(os.PRIO_PROCESS, 0, -20)
    except OSError:
        pass


def priority_permitted():
    """Tells whether a child can raise its priority."""
    check = "import os; os.setpriority(os.PRIO_PROCESS, 0, -20)"
    return subprocess.run([sys.executable, "-c", check], stderr=subprocess.DEVNULL).returncode == 0


def run(command):
    """Runs a command that prints one JSON value and returns that value."""
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, preexec_fn=raise_priority
    )
    if result.returncode:
        sys.exit(f"decode_vs_ort.py: exit code {result.returncode} from: {' '.join(map(str, command))}")
    return json.loads(result.stdout)


def bandwidth(threads, megabytes=256, passes=4):
    """GB/s at which `threads` threads together read memory that no cache holds (dot product of a vector with itself)."""
    vectors = [np.ones(megabytes * 250_000, np.float32) for _ in range(threads)]
    best = 0.0
    for _ in range(passes):
        workers = [threading.Thread(target=np.dot, args=(v, v)) for v in vectors]
        start = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        best = max(best, sum(v.nbytes for v in vectors) / (time.perf_counter() - start) / 1e9)
    return best


def compare(options):
    """Runs all rounds. Returns one dictionary a round: the two reports and the bandwidth."""
    common = ["--prompt", options.prompt, "-n", str(options.n), "--threads", str(options.threads), "--json"]
    tandem = [options.tandem, "run", str(options.plan), *common]
    ort = [sys.executable, str(ORT), str(options.model), *common]
    probe = [sys.executable, __file__, "--probe", "--threads", str(options.threads)]
    rounds = []
    for number in range(options.rounds):
        entry = {"gb_per_second": run(probe), "tandem": run(tandem), "ort": run(ort)}
        rounds.append(entry)
        print(
            f"round {number + 1}: tandem {entry['tandem'][RATE]:7.1f}  onnxruntime {entry['ort'][RATE]:7.1f} tokens/s"
            f"  (memory {entry['gb_per_second']:.0f} GB/s)",
            file=sys.stderr,
        )
    return rounds


def equal_tokens(rounds):
    """How many of the first tokens are the same in both texts."""
    pairs = zip(rounds[0]["tandem"]["generated_ids"], rounds[0]["ort"]["generated_ids"])
    return next((index for index, (a, b) in enumerate(pairs) if a != b), len(rounds[0]["ort"]["generated_ids"]))


def summary(rounds, options):
    """The result as one dictionary."""
    spread = lambda values: {"median": statistics.median(values), "min": min(values), "max": max(values)}
    of = lambda engine, field: [entry[engine][field] for entry in rounds]
    engine = lambda name: {
        RATE: spread(of(name, RATE)),
        "prefill_tokens_per_second": spread(of(name, "prefill_tokens_per_second")),
        "load_ms": spread(of(name, "load_ms")),
        "peak_rss_bytes": max(of(name, "peak_rss_bytes")),
    }
    return {
        "threads": options.threads,
        "new_tokens": options.n,
        "tandem": engine("tandem"),
        "onnxruntime": engine("ort"),
        "ratio": spread([entry["tandem"][RATE] / entry["ort"][RATE] for entry in rounds]),
        "equal_tokens": equal_tokens(rounds),
        "gb_per_second": spread([entry["gb_per_second"] for entry in rounds]),
    }


def print_table(result):
    """The same for people."""
    print(
        f"decode, batch 1, greedy, {result['new_tokens']} new tokens, {result['threads']} threads (median, min - max)"
    )
    for name in ("tandem", "onnxruntime"):
        rate, load = result[name][RATE], result[name]["load_ms"]["median"]
        print(
            f"  {name:12} {rate['median']:7.1f} tokens/s  ({rate['min']:.1f} - {rate['max']:.1f})"
            f"   load {load:6.0f} ms   peak {result[name]['peak_rss_bytes'] / 1e6:5.0f} MB"
        )
    ratio, memory = result["ratio"], result["gb_per_second"]
    print(
        f"  tandem / onnxruntime, within rounds: {ratio['median']:.2f}  ({ratio['min']:.2f} - {ratio['max']:.2f})"
    )
    print(f"  memory bandwidth: {memory['median']:.0f} GB/s  ({memory['min']:.0f} - {memory['max']:.0f})")
    print(f"  first {result['equal_tokens']} of {result['new_tokens']} tokens are the same")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("plan", type=Path, nargs="?")
    parser.add_argument("model", type=Path, nargs="?", help="the graph for ONNX Runtime, tokenizer.json beside it")
    parser.add_argument("--tandem", default=".build/release/tandem", help="the program to measure")
    parser.add_argument("--prompt", default="The history of the printing press begins in")
    parser.add_argument("-n", type=int, default=128, help="new tokens")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print one JSON object, not a table")
    parser.add_argument("--probe", action="store_true", help="only measure the memory bandwidth, in GB/s")
    options = parser.parse_args()
    if options.probe:
        print(bandwidth(options.threads))
        return
    if not options.model:
        parser.error("a plan and its graph are needed")
    if not priority_permitted():
        print(
            "no permission to raise the priority: other programs on this machine will show in the numbers",
            file=sys.stderr,
        )
    result = summary(compare(options), options)
    if options.json:
        print(json.dumps(result, indent=1))
    else:
        print_table(result)


if __name__ == "__main__":
    main()
