#!/usr/bin/env python3
"""Prints what tandem recognizes in every export of the zoo, as a Markdown table: exporter by family.

    python matrix.py --tandem .build/release/tandem [FOLDER ...]

A cell names what is missed - attention, FFN, norms, head, embedding, caches - or says `all`; general steps that are left in
the decode loop are counted. Folders besides the zoo hold `EXPORTER/model.onnx` of one more family each.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ZOO = Path(__file__).parent


def card(tandem, model, folder):
    """What `convert --json` says of a model."""
    command = [tandem, "convert", str(model), "-o", str(Path(folder) / "model.plan"), "--json"]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if result.returncode:
        sys.exit(f"matrix.py: {model}: {result.stderr.strip()}")
    return json.loads(result.stdout)["card"]


def cell(card):
    """One field of the table."""
    layers = card["attention"]["recognized"] + card["attention"]["unrecognized"]
    parts = {
        "attention": card["attention"]["unrecognized"] == 0,
        "FFN": card["feed_forward"]["recognized"] >= layers,
        "norms": card["normalization"]["unrecognized"] == 0,
        "head": card["head"]["recognized"],
        "embedding": card["embedding"]["recognized"],
        "KV": card["caches"]["copied"] == 0 and card["caches"]["in_place"] > 0,
    }
    missed = [name for name, is_recognized in parts.items() if not is_recognized]
    steps = sum(step["count"] for step in card["general_steps"])
    text = "all" if not missed else "no " + ", ".join(missed)
    return text + (f"; {steps} general steps" if steps else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tandem", default=".build/release/tandem", help="the tool")
    parser.add_argument("folders", nargs="*", type=Path, help="more families: folders of EXPORTER/model.onnx")
    options = parser.parse_args()
    models = {}
    for path in sorted(ZOO.glob("*/*.onnx")):
        if (path.parent / "ids.npy").exists():
            models[path.parent.name, path.stem] = path
    for folder in options.folders:
        for path in sorted(folder.glob("*/model.onnx")):
            models[folder.name, path.parent.name] = path
    families = sorted({family for family, _ in models})
    exporters = sorted({exporter for _, exporter in models})
    print("| family | " + " | ".join(exporters) + " |")
    print("|---" * (len(exporters) + 1) + "|")
    with tempfile.TemporaryDirectory() as folder:
        for family in families:
            row = [models.get((family, exporter)) for exporter in exporters]
            cells = [cell(card(options.tandem, model, folder)) if model else "-" for model in row]
            print(f"| {family} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
