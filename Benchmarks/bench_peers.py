#!/usr/bin/env python3
"""Compares tandem with other engines on the weights of Gemma 3 270M: prefill, decoding, load, memory, perplexity.

    python bench_peers.py --rounds 5                           everything
    python bench_peers.py --only tandem,llama -p 512 -n 128

All run with the same number of threads, in turns (tandem, llama.cpp, ..., tandem, ...), because the memory bandwidth of
a shared machine wanders: only numbers of one round can be compared. Before each turn that bandwidth is measured. Where
permitted (root on Linux) everything runs at the highest scheduler priority.

Every engine has a Python of its own, `.cache/venv-peers-*`, into which the packages of `peers/*.txt` are installed from PyPI,
and where needed an export of its own, in `.cache/peers`. One that cannot be installed or run becomes a row with the reason.
Medians, and the ratios within rounds, go to stdout as a table in Markdown, progress to stderr.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PREFILL, DECODE = "prefill_tokens_per_second", "decode_tokens_per_second"
# The protocol of the perplexity that models are compared by: <bos>, then so many tokens, each scored.
WINDOW = 1023


class Skipped(Exception):
    """Why an engine is left out."""


# Processes


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


def run(command, first_in_line=True, environment=None):
    """Runs a command and returns what it prints. Its last words are the reason when it fails."""
    result = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, **(environment or {})},
        preexec_fn=raise_priority if first_in_line else None,
    )
    if result.returncode:
        lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith("error")] or lines[-1:]
        raise Skipped((errors or [f"exit code {result.returncode}"])[0][:200])
    return result.stdout


def say(text):
    print(text, file=sys.stderr, flush=True)


# Engines


class Tandem:
    """A plan of one setting of `--weights` or `--head`.

    exact: what `bench` is told of a HiRE head; None has no such head.
    """

    version = note = ""

    def __init__(self, key, label, options, weights="auto", exact=None):
        self.key, self.label, self.options = key, label, options
        self.settings = ["--weights", weights] + (["--head", "hire", "--exact", "deferred"] if exact else [])
        self.exact = exact
        suffix = ".hire-deferred" if exact else "" if weights == "auto" else f".{weights}"
        self.plan = options.cache / f"{options.gemma.name}{suffix}.plan"

    def prepare(self):
        sources = [self.options.tandem, self.options.gemma / "model.onnx"]
        if self.plan.exists() and all(self.plan.stat().st_mtime > path.stat().st_mtime for path in sources):
            return
        say(f"{self.label}: compiling {self.plan}")
        run([self.options.tandem, "convert", sources[1], *self.settings, "-o", self.plan], False)

    def bench(self):
        options = self.options
        sizes = ["-p", options.p, "-n", options.n, "-r", 1, "--blocks", 0, "--threads", options.threads]
        head = ["--exact", self.exact] if self.exact else []
        report = json.loads(run([options.tandem, "bench", self.plan, *sizes, *head, "--json"]))
        rates = {result["test"][:2]: result for result in report["results"]}
        return {
            PREFILL: rates["pp"]["tokens_per_second"]["median"],
            DECODE: rates["tg"]["tokens_per_second"]["median"],
            "share_of_roof": rates["tg"]["share_of_roof"]["median"],
            "load_ms": report["load_ms"],
            "peak_rss_bytes": report["peak_rss_bytes"],
        }

    def perplexity(self, text, windows):
        options = self.options
        limit = ["--tokens", options.tokens, "--window", WINDOW, "--threads", options.threads]
        # Verified text is that of the dense head.
        head = ["--head", "hire"] if self.exact == "none" else []
        return json.loads(run([options.tandem, "eval", self.plan, "--text", text, *limit, *head, "--json"]))["perplexity"]

    def identity(self):
        return [self.key, *map(file_identity, (self.plan, self.options.tandem))]


class Peer:
    """An engine behind a script of `peers/`, with packages of its own.

    model: the file or folder it reads; None when it exports one of the checkpoint.
    """

    # CMake settings of what is compiled from source: for the processor at hand, without what only images need.
    BUILD = {"CMAKE_ARGS": "-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF -DLLAMA_CURL=OFF"}

    def __init__(self, key, label, script, model, options):
        self.key, self.label, self.options = key, label, options
        self.script = FOLDER / "peers" / f"{script}.py"
        self.requirements = self.script.with_suffix(".txt")
        self.venv = options.cache / f"venv-peers-{script}"
        self.python = self.venv / "bin" / "python"
        self.exports = model is None
        self.model = model or options.cache / "peers" / script
        self.version = self.note = ""

    def prepare(self):
        self.install()
        if not self.exports:
            if not self.model.exists():
                raise Skipped(f"there is no {self.model}")
        elif not self.model.exists():
            source = checkpoint(self.options)
            say(f"{self.label}: exporting {self.model} (a few minutes)")
            work = self.model.with_name(f"{self.model.name}-{os.getpid()}")
            run([self.python, self.script, "export", source, work], False)
            work.rename(self.model)

    def install(self):
        ready, wanted = self.venv / ".ready", self.requirements.read_text()
        if ready.exists() and ready.read_text() == wanted:
            return
        packages = [line for line in wanted.splitlines() if "==" in line]
        say(f"{self.label}: installing {', '.join(packages)} from PyPI into {self.venv}")
        run([sys.executable, "-m", "venv", "--clear", self.venv], False)
        pip = [self.python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        run([*pip, "install", "-r", self.requirements], False, self.BUILD)
        # optimum-intel asks for it, text models do not; PyPI's build does not fit CPU builds of torch.
        run([*pip, "uninstall", "--yes", "torchvision"], False)
        ready.write_text(wanted)

    def command(self, name, *arguments):
        threads = ["--threads", self.options.threads]
        return json.loads(run([self.python, self.script, name, self.model, *threads, *arguments]).splitlines()[-1])

    def bench(self):
        report = self.command("bench", "-p", self.options.p, "-n", self.options.n)
        self.version, self.note = report["version"], report["note"]
        return report

    def perplexity(self, text, windows):
        return self.command("perplexity", "--windows", windows)["perplexity"]

    def identity(self):
        return [self.key, self.requirements.read_text(), file_identity(self.model)]


def engines(options):
    """All engines in the order of the table."""
    gguf = next(iter(options.gemma.glob("*.gguf")), options.gemma / "gemma-3-270m-q4_k_m.gguf")
    found = [
        Tandem("tandem", "tandem, weights auto", options),
        Tandem("hire", "tandem, HiRE head, candidates alone", options, exact="none"),
        Tandem("deferred", "tandem, HiRE head, verified", options, exact="deferred"),
        Tandem("tandem-f32", "tandem, f32", options, weights="f32"),
        Peer("llama", "llama.cpp, Q4_K_M", "llama", gguf, options),
        Peer("genai", "onnxruntime-genai, int8 blocks of 32", "genai", None, options),
        Peer("ov", "OpenVINO GenAI, int8", "ov", None, options),
        Peer("ort", "ONNX Runtime, f32", "ort", options.gemma / "model.onnx", options),
    ]
    keys = [engine.key for engine in found]
    wanted = options.only.split(",") if options.only else keys
    unknown = [key for key in wanted if key not in keys]
    if unknown:
        sys.exit(f"bench_peers.py: --only has '{unknown[0]}', accepted are {', '.join(keys)}")
    found = [engine for engine in found if engine.key in wanted]
    for text in options.export:
        name, _, path = text.partition("=")
        found.append(Peer(name, f"ONNX Runtime, f32, {name}", "ort", Path(path), options))
    return found


def checkpoint(options):
    """The weights as a folder that exporters read; made once."""
    output = options.cache / "peers" / "checkpoint"
    if not output.exists():
        say(f"writing the weights as a Hugging Face checkpoint to {output} (1.1 GB)")
        gguf = next(iter(options.gemma.glob("*.gguf")), None)
        if not gguf:
            raise Skipped(f"there is no GGUF file in {options.gemma}")
        tokenizer = options.gemma / "tokenizer.json"
        run([sys.executable, FOLDER / "peers" / "checkpoint.py", gguf, tokenizer, output], False)
    return output


# Perplexity


def file_identity(path):
    """Changes when a file, or the files of a folder, are written again."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [[file.name, file.stat().st_size, int(file.stat().st_mtime)] for file in files]


def write_windows(options):
    """Cuts the text into windows of tokens for the peers. Returns the file and the number of tokens."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(options.gemma / "tokenizer.json"))
    ids = tokenizer.encode(options.text.read_text(), add_special_tokens=False).ids[: options.tokens]
    windows = [ids[start : start + WINDOW] for start in range(0, len(ids), WINDOW)]
    path = options.cache / "peers" / "windows.json"
    path.write_text(json.dumps([tokenizer.token_to_id("<bos>"), windows]))
    return path, len(ids)


def perplexities(found, options):
    """Of each engine by key; kept in a file, since they change with weights and versions only."""
    store = options.cache / "peers" / "perplexity.json"
    known = json.loads(store.read_text()) if store.exists() else {}
    windows, count = write_windows(options)
    result = {}
    for engine in list(found):
        source = json.dumps([engine.identity(), hashlib.sha256(windows.read_bytes()).hexdigest()])
        key = hashlib.sha256(source.encode()).hexdigest()
        if key not in known:
            say(f"{engine.label}: perplexity of {count} tokens")
            try:
                known[key] = engine.perplexity(options.text, windows)
                store.write_text(json.dumps(known, indent=1))
            except Skipped as reason:
                say(f"{engine.label}: no perplexity: {reason}")
        result[engine.key] = known.get(key)
    return result, count


# Rounds and table


def bandwidth(options):
    """GB/s at which all threads together read memory, as `tandem hw` measures it."""
    report = json.loads(run([options.tandem, "hw", "--threads", options.threads, "--json"]))
    return report["bandwidth"][-1]["gb_per_second"]


def compare(found, skipped, options):
    """Runs all rounds. Returns one dictionary a round: the reports by key, and the bandwidths."""
    rounds = []
    for number in range(options.rounds):
        entry = {"gb_per_second": []}
        for engine in [engine for engine in found if engine.key not in skipped]:
            entry["gb_per_second"].append(bandwidth(options))
            try:
                entry[engine.key] = engine.bench()
            except Skipped as reason:
                skipped[engine.key] = str(reason)
        rates = "  ".join(f"{key} {report[DECODE]:.1f}" for key, report in entry.items() if key != "gb_per_second")
        memory = statistics.median(entry["gb_per_second"])
        say(f"round {number + 1}: {rates} tokens/s  (memory {memory:.0f} GB/s)")
        rounds.append(entry)
    return rounds


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summary(found, skipped, rounds, perplexity, count, options):
    """The result as one dictionary."""
    rows = {}
    for engine in found:
        if engine.key in skipped:
            rows[engine.key] = {"label": engine.label, "skipped": skipped[engine.key]}
            continue
        of = lambda field: [entry[engine.key][field] for entry in rounds]
        first = found[0].key
        ratio = lambda field: [entry[first][field] / entry[engine.key][field] for entry in rounds]
        row = {"label": engine.label, "version": engine.version, "note": engine.note}
        row |= {field: spread(of(field)) for field in (PREFILL, DECODE, "load_ms")}
        if first not in skipped:
            row |= {"prefill_ratio": spread(ratio(PREFILL)), "decode_ratio": spread(ratio(DECODE))}
        if isinstance(engine, Tandem):
            row["share_of_roof"] = spread(of("share_of_roof"))
        rows[engine.key] = row | {"peak_rss_bytes": max(of("peak_rss_bytes")), "perplexity": perplexity[engine.key]}
    return {
        "threads": options.threads,
        "rounds": options.rounds,
        "prompt_tokens": options.p,
        "new_tokens": options.n,
        "perplexity_tokens": count,
        "gb_per_second": spread([value for entry in rounds for value in entry["gb_per_second"]]),
        "engines": rows,
    }


def table(result, first):
    """The same for people, in Markdown."""
    ratio = lambda row, field: "{median:.2f} x ({min:.2f} - {max:.2f})".format(**row[field])
    lines = [
        f"| | perplexity | prefill {result['prompt_tokens']}, tokens/s | tandem is faster "
        f"| decode {result['new_tokens']}, tokens/s | tandem is faster | load | memory |",
        "|---|---|---|---|---|---|---|---|",
    ]
    notes = []
    for key, row in result["engines"].items():
        if "skipped" in row:
            lines.append(f"| {row['label']} | skipped: {row['skipped']} | | | | | | |")
            continue
        perplexity = f"{row['perplexity']:.2f}" if row["perplexity"] else ""
        compared = key != first and "decode_ratio" in row
        cells = [row["label"], perplexity]
        for field, against in ((PREFILL, "prefill_ratio"), (DECODE, "decode_ratio")):
            cells += [f"{row[field]['median']:.{0 if field == PREFILL else 1}f}", ratio(row, against) if compared else ""]
        cells += [f"{row['load_ms']['median']:.0f} ms", f"{row['peak_rss_bytes'] / 1e6:.0f} MB"]
        lines.append(f"| {' | '.join(cells)} |")
        if row["version"] or row["note"]:
            notes.append(f"{row['label']}: {row['version']} {row['note']}".strip())
        if "share_of_roof" in row:
            notes.append("{label}: decoding at {0:.0f} % of the memory's speed".format(
                100 * row["share_of_roof"]["median"], **row))
    memory = result["gb_per_second"]
    notes.append(
        "{threads} threads, memory {0:.1f} GB/s ({1:.1f} - {2:.1f}); medians of {rounds} rounds, ratios within rounds; "
        "perplexity of {perplexity_tokens} tokens".format(memory["median"], memory["min"], memory["max"], **result)
    )
    return "\n".join(lines + [""] + notes)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tandem", type=Path, default=Path(".build/release/tandem"), help="the program to measure")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="where plans, exports and packages are kept")
    parser.add_argument("--gemma", type=Path, default=Path(".cache/gemma-3-270m"), help="graph, tokenizer and GGUF file")
    parser.add_argument("--export", action="append", default=[], metavar="NAME=FILE.onnx",
                        help="another export of the model, for ONNX Runtime")
    parser.add_argument("--only", metavar="KEY,...", help="of tandem, hire, deferred, tandem-f32, llama, genai, ov, ort; by default all")
    parser.add_argument("--text", type=Path, default=Path("/usr/share/common-licenses/GPL-3"),
                        help="what the perplexity is taken of")
    parser.add_argument("--tokens", type=int, default=16368, help="tokens of the text at most")
    parser.add_argument("-p", type=int, default=512, help="tokens of the prompt")
    parser.add_argument("-n", type=int, default=128, help="new tokens")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print one JSON object, not a table")
    options = parser.parse_args()
    for name in ("tandem", "cache", "gemma", "text"):
        setattr(options, name, getattr(options, name).absolute())
    (options.cache / "peers").mkdir(parents=True, exist_ok=True)
    if not priority_permitted():
        say("no permission to raise the priority: other programs on this machine will show in the numbers")
    found, skipped = engines(options), {}
    for engine in found:
        try:
            engine.prepare()
        except (Skipped, OSError) as reason:
            skipped[engine.key] = str(reason)
            say(f"{engine.label}: skipped: {reason}")
    perplexity, count = perplexities([engine for engine in found if engine.key not in skipped], options)
    rounds = compare(found, skipped, options)
    result = summary(found, skipped, rounds, perplexity, count, options)
    print(json.dumps(result, indent=1) if options.json else table(result, found[0].key))


if __name__ == "__main__":
    main()
