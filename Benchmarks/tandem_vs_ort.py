#!/usr/bin/env python3
"""Compares a tandem plan with ONNX Runtime on one or several exports of the same model: prefill, decoding, tokens.

    python tandem_vs_ort.py MODEL.plan MODEL.onnx [EXPORT.onnx ...] --rounds 5 -p 512 -n 64

All run with the same number of threads, in turns (tandem, export, export, ..., tandem, ...), because the memory bandwidth of a
shared machine wanders: only numbers of one round can be compared. Each round begins with a probe of that bandwidth. Where
permitted (root on Linux) everything runs at the highest scheduler priority. Medians, and the ratios within the rounds, go to
stdout, progress to stderr.
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
DECODE = "decode_tokens_per_second"
PREFILL = "prefill_tokens_per_second"


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
        sys.exit(f"tandem_vs_ort.py: exit code {result.returncode} from: {' '.join(map(str, command))}")
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


def name_of(model):
    """What a graph is called in the table: its folder, or the file when that is called otherwise."""
    return model.parent.name if model.stem == "model" else model.stem


def tandem_report(options):
    """One round of `tandem bench`, in the fields of bench_ort.py."""
    command = [options.tandem, "bench", str(options.plan), "-p", str(options.p), "-n", str(options.n), "-r", "1"]
    report = run([*command, "--threads", str(options.threads), "--json"])
    rates = {result["test"][:2]: result["tokens_per_second"]["median"] for result in report["results"]}
    return {
        PREFILL: rates["pp"],
        DECODE: rates["tg"],
        "load_ms": report["load_ms"],
        "peak_rss_bytes": report["peak_rss_bytes"],
    }


def compare(options):
    """Runs all rounds. Returns one dictionary a round: the reports by name, and the bandwidth."""
    sizes = ["-p", str(options.p), "-n", str(options.n), "--threads", str(options.threads), "--json"]
    probe = [sys.executable, __file__, "--probe", "--threads", str(options.threads)]
    rounds = []
    for number in range(options.rounds):
        entry = {"gb_per_second": run(probe), "tandem": tandem_report(options)}
        for model in options.models:
            entry[name_of(model)] = run([sys.executable, str(ORT), str(model), *sizes])
        rounds.append(entry)
        rates = "  ".join(f"{name} {report[DECODE]:.1f}" for name, report in entry.items() if name != "gb_per_second")
        print(f"round {number + 1}: {rates} tokens/s  (memory {entry['gb_per_second']:.0f} GB/s)", file=sys.stderr)
    return rounds


def equal_tokens(options, model):
    """How many of the first greedy tokens are the same, and of how many."""
    common = ["--prompt", options.prompt, "-n", str(options.n), "--threads", str(options.threads), "--json"]
    ours = run([options.tandem, "run", str(options.plan), *common])["generated_ids"]
    theirs = run([sys.executable, str(ORT), str(model), *common])["generated_ids"]
    count = min(len(ours), len(theirs))
    return next((index for index in range(count) if ours[index] != theirs[index]), count), count


def summary(rounds, options):
    """The result as one dictionary."""
    spread = lambda values: {"median": statistics.median(values), "min": min(values), "max": max(values)}
    engines = {}
    for name in ["tandem", *map(name_of, options.models)]:
        of = lambda field: [entry[name][field] for entry in rounds]
        against = lambda field: [entry["tandem"][field] / entry[name][field] for entry in rounds]
        engines[name] = {
            PREFILL: spread(of(PREFILL)),
            DECODE: spread(of(DECODE)),
            "prefill_ratio": spread(against(PREFILL)),
            "decode_ratio": spread(against(DECODE)),
            "load_ms": spread(of("load_ms")),
            "peak_rss_bytes": max(of("peak_rss_bytes")),
        }
    for model in options.models:
        engines[name_of(model)]["equal_tokens"] = equal_tokens(options, model)
    return {
        "threads": options.threads,
        "prompt_tokens": options.p,
        "new_tokens": options.n,
        "engines": engines,
        "gb_per_second": spread([entry["gb_per_second"] for entry in rounds]),
    }


def print_table(result):
    """The same for people."""
    memory = result["gb_per_second"]
    print(
        f"{result['threads']} threads, memory {memory['median']:.0f} GB/s ({memory['min']:.0f} - {memory['max']:.0f}); "
        "medians, and tandem's speed over that of the line within rounds"
    )
    print(f"{'':14} {'pp' + str(result['prompt_tokens']):>8} {'tg' + str(result['new_tokens']):>7}"
          "   prefill ratio       decode ratio        load      memory   equal tokens")
    for name, engine in result["engines"].items():
        ratio = lambda field: "{median:5.2f} ({min:.2f} - {max:.2f})".format(**engine[field])
        equal = "{} of {}".format(*engine["equal_tokens"]) if "equal_tokens" in engine else ""
        print(
            f"{name:14} {engine[PREFILL]['median']:8.1f} {engine[DECODE]['median']:7.1f}  {ratio('prefill_ratio'):19} "
            f"{ratio('decode_ratio'):19} {engine['load_ms']['median']:5.0f} ms {engine['peak_rss_bytes'] / 1e6:6.0f} MB   {equal}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("plan", type=Path, nargs="?")
    parser.add_argument("models", type=Path, nargs="*", help="exports for ONNX Runtime, tokenizer.json beside them")
    parser.add_argument("--tandem", default=".build/release/tandem", help="the program to measure")
    parser.add_argument("--prompt", default="The history of the printing press begins in")
    parser.add_argument("-p", type=int, default=512, help="tokens of the prompt")
    parser.add_argument("-n", type=int, default=64, help="new tokens")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print one JSON object, not a table")
    parser.add_argument("--probe", action="store_true", help="only measure the memory bandwidth, in GB/s")
    options = parser.parse_args()
    if options.probe:
        print(bandwidth(options.threads))
        return
    if not options.models:
        parser.error("a plan and at least one export are needed")
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
