#!/usr/bin/env python3
"""Times the ways in which one plan writes the same texts, in turns.

    python Benchmarks/drafters.py PLAN TEXT [--tandem .build/release/tandem] [--texts 6] [--tokens 128] [--rounds 2] [--copies]

Prompts are pieces of TEXT; with --copies each is a piece, the same piece again, and its first words: what follows is found in
the prompt. Every way must write what the dense head writes alone; those that the plan cannot are left out.

With --llama MODEL.gguf, llama.cpp writes as many tokens behind the same prompts in the same turns; that needs the Python of
`.cache/venv-peers-llama`, which `make bench-peers` installs.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

WAYS = {
    "dense": ["--head", "dense", "--draft", "none"],
    "n-grams": ["--head", "dense", "--draft", "ngram"],
    "layers": ["--head", "dense", "--draft", "layers"],
    "small model": ["--head", "dense", "--draft", "tandem"],
    "HiRE form": ["--exact", "deferred", "--draft", "none"],
    "HiRE form + n-grams": ["--exact", "deferred", "--draft", "ngram"],
    "HiRE form + layers": ["--exact", "deferred", "--draft", "layers"],
}


def prompts(options):
    text = Path(options.text).read_text()
    size = options.prompt
    places = [index * (len(text) - 2 * size) // options.texts for index in range(options.texts)]
    pieces = [text[place : place + size] for place in places]
    if options.copies:
        return [f"{piece}\n\n{piece}\n\n{piece[:40]}" for piece in pieces]
    return pieces


def generate(options, way, prompt):
    """The JSON object of `tandem run --json`, or nothing where the plan cannot."""
    command = [options.tandem, "run", options.plan, "--prompt-file", "-", "-n", str(options.tokens), "--ignore-eos", "--json"]
    result = subprocess.run([*command, *WAYS[way]], input=prompt, capture_output=True, text=True)
    return json.loads(result.stdout) if result.returncode == 0 else None


class Llama:
    """Greedy text by llama.cpp."""

    def __init__(self, gguf, threads):
        sys.path.insert(0, str(Path(__file__).parent / "peers"))
        import llama

        self.engine = llama.Engine(gguf, threads)

    def rate(self, prompt_ids, count):
        """Tokens per second after the first."""
        self.engine.reset()
        self.engine.feed(prompt_ids)
        start = time.perf_counter()
        for _ in range(count - 1):
            self.engine.feed([self.engine.likeliest()])
        self.engine.likeliest()
        return (count - 1) / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("plan")
    parser.add_argument("text")
    parser.add_argument("--tandem", default=".build/release/tandem", help="the tool")
    parser.add_argument("--texts", type=int, default=6)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--prompt", type=int, default=400, help="characters of a piece")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--copies", action="store_true")
    parser.add_argument("--llama", help="a model for llama.cpp to compare with")
    parser.add_argument("--threads", type=int, default=2, help="of llama.cpp")
    options = parser.parse_args()
    texts = prompts(options)
    ways = [way for way in WAYS if generate(options, way, texts[0])]
    rates, equal, drafts = {way: [] for way in ways}, dict.fromkeys(ways, 0), {way: [0, 0, 0, 0] for way in ways}
    llama, peer = Llama(options.llama, options.threads) if options.llama else None, []
    for _ in range(options.rounds):
        for text in texts:
            dense = None
            for way in ways:
                report = generate(options, way, text)
                dense = dense or report
                equal[way] += report["generated_ids"] == dense["generated_ids"]
                rates[way].append(report["decode_tokens_per_second"])
                counts = [report.get(name) or 0 for name in ("large_passes", "drafted", "accepted", "mismatches")]
                drafts[way] = [a + b for a, b in zip(drafts[way], counts)]
            if llama:
                peer.append(llama.rate(dense["prompt_ids"], options.tokens))
    count = options.rounds * len(texts)
    print("| drafter | tokens/s | times dense | texts as by dense | proposed tokens right | tokens a run | replaced by the dense head |")
    print("|---|---|---|---|---|---|---|")
    for way in ways:
        ratios = sorted(a / b for a, b in zip(rates[way], rates["dense"]))
        passes, drafted, accepted, replaced = drafts[way]
        print(
            f"| {way} | {statistics.median(rates[way]):.1f} | {statistics.median(ratios):.2f} ({ratios[0]:.2f} - {ratios[-1]:.2f}) |"
            f" {equal[way]} of {count} | {f'{accepted} of {drafted}' if drafted else '-'} |"
            f" {f'{(accepted + passes) / passes:.2f}' if passes else '-'} | {replaced if 'HiRE' in way else '-'} |"
        )
    if llama:
        print(f"\nllama.cpp: {statistics.median(peer):.1f} tokens/s; times as fast:")
        for way in ways:
            ratios = sorted(a / b for a, b in zip(rates[way], peer))
            print(f"  {way:20s} {statistics.median(ratios):.2f} ({ratios[0]:.2f} - {ratios[-1]:.2f})")
    sys.exit(0 if all(value == count for value in equal.values()) else 1)


if __name__ == "__main__":
    main()
