#!/usr/bin/env python3
"""Writes the trained pair as ONNX: `model.onnx` and `small.onnx`, and with --joined both in one graph, `pair.onnx`.

    python export.py WEIGHTS_FOLDER OUTPUT_FOLDER [--joined]

The folder holds large.json, large.safetensors, small.json, small.safetensors as trained, matrices [out, in]. With numpy and onnx
alone; graphs are opset 18. The large model:

    x = embedding[input_ids] * scale
    each layer: x += attention(rms(x, n1)) wo;  a = relu(rms(x, n2) up)^2;  x += keep(a) down
    logits = rms(x, norm) embedding^T;  tandem_states.J = x behind layer taps[J]

`keep` zeroes all but the k groups of adjacent units with the largest sums. Layer J of the small model sees R finished tokens
through `b = rms(tandem_states.J proj, n3)`, whose keys and values by its own wk and wv stand before those of its own tokens.
"""

import argparse
import json
import struct
import sys
from pathlib import Path

import numpy as np
import onnx

sys.path.insert(0, str(Path(__file__).parents[1] / "gemma-3-270m"))
from graph import Graph  # noqa: E402
from operators import PrimitiveOperators  # noqa: E402

OPSET = 18


def read_safetensors(path):
    """Name to f32 array."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    arrays = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] != "F32":
            raise SystemExit(f"export.py: '{path}': '{name}' is {entry['dtype']}, accepted is F32")
        start, end = entry["data_offsets"]
        arrays[name] = np.frombuffer(data[8 + length + start : 8 + length + end], "<f4").reshape(entry["shape"])
    return arrays


class Decoder:
    """Builds one of the two graphs. Methods take and return names of values; comments give their shapes."""

    def __init__(self, config, weights):
        self.config, self.weights = config, weights
        self.head_count, self.key_heads, self.head_size = config["heads"], config["kv_heads"], config["d"] // config["heads"]
        self.graph = Graph("tandem", OPSET, None)
        self.operators = PrimitiveOperators(self.graph)
        self.is_small = "src" in config

    def weight(self, name):
        """A vector as it is, a matrix as [in, out]."""
        array = self.weights[name]
        return self.graph.constant(name, np.ascontiguousarray(array.T if array.ndim == 2 and name != "emb" else array))

    def linear(self, x, name):
        return self.graph.add("MatMul", x, self.weight(name), label=name.split(".")[-1])

    def rms(self, x, name):
        return self.operators.rms_norm(x, self.weight(name), self.config["norm_eps"], name.split(".")[-1])

    def heads(self, x, count):
        """x[B, S, count * head size] -> [B, count, S, head size]."""
        x = self.graph.add("Reshape", x, self.graph.integers(0, 0, count, self.head_size))
        return self.graph.add("Transpose", x, perm=[0, 2, 1, 3])

    def rotary_table(self, positions):
        """Cosine and sine of position / theta^(2i / head size), each [B, S, head size / 2]."""
        half = np.arange(0, self.head_size, 2, dtype=np.float32) / np.float32(self.head_size)
        frequencies = np.float32(self.config["rope_theta"]) ** -half
        angles = np.outer(np.arange(self.config["context"], dtype=np.float32), frequencies)
        return [
            self.graph.add("Gather", self.graph.constant(name, table.astype(np.float32)), positions, axis=0)
            for name, table in (("cos", np.cos(angles)), ("sin", np.sin(angles)))
        ]

    def mask(self, ids, attention_mask):
        """bool[B, 1, S, T]: keys that a query may see, itself and what is before it, without padding."""
        graph, zero, one = self.graph, self.graph.integers(0), self.graph.integers(1)
        total = graph.add("Shape", attention_mask, start=1, end=2)
        new = graph.add("Shape", ids, start=1, end=2)
        end = graph.add("Squeeze", total, zero)
        start = graph.add("Squeeze", graph.add("Sub", total, new), zero)
        step, origin = graph.constant("one", np.int64(1)), graph.constant("zero", np.int64(0))
        key = graph.add("Range", origin, end, step)  # [T]
        query = graph.add("Unsqueeze", graph.add("Range", start, end, step), one)  # [S, 1]
        padding = graph.add("Cast", attention_mask, to=onnx.TensorProto.BOOL)
        padding = graph.add("Unsqueeze", padding, graph.integers(1, 2))  # [B, 1, 1, T]
        return graph.add("And", padding, graph.add("LessOrEqual", key, query))

    def keys_and_values(self, x, layer, table):
        keys = self.operators.rotary(self.heads(self.linear(x, f"{layer}.wk"), self.key_heads), *table, "rotary")
        return keys, self.heads(self.linear(x, f"{layer}.wv"), self.key_heads)

    def attention(self, x, index, table, mask, finished):
        """x[B, S, d] -> [B, S, d]. finished: a tap [B, R, source] with its table, or nothing."""
        graph, layer = self.graph, f"layers.{index}"
        query = self.operators.rotary(self.heads(self.linear(x, f"{layer}.wq"), self.head_count), *table, "rotary")
        own = self.keys_and_values(x, layer, table)
        if finished:
            state, finished_table = finished
            state = self.rms(self.linear(state, f"{layer}.proj"), f"{layer}.n3")
            theirs = self.keys_and_values(state, layer, finished_table)
            own = [graph.add("Concat", a, b, axis=2) for a, b in zip(theirs, own)]
        past, present = (
            [f"{name}.{index}.{kind}" for kind in ("key", "value")] for name in ("past_key_values", "present")
        )
        keys, values = (
            graph.add("Concat", old, new, axis=2, outputs=[name])[0] for old, new, name in zip(past, own, present)
        )
        keys = graph.add("Transpose", self.repeat(keys), perm=[0, 1, 3, 2])
        scores = graph.add("MatMul", query, keys, label="scores")
        scores = graph.add("Mul", scores, graph.floats("attention.scale", self.head_size**-0.5))
        scores = graph.add("Where", mask, scores, graph.floats("attention.masked", np.finfo(np.float32).min))
        mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), self.repeat(values), label="mixed")
        mixed = graph.add("Transpose", mixed, perm=[0, 2, 1, 3])
        mixed = graph.add("Reshape", mixed, graph.integers(0, 0, self.config["d"]))
        return self.linear(mixed, f"{layer}.wo")

    def repeat(self, x):
        """x[B, key heads, T, head size] -> [B, heads, T, head size]: every key head for the heads that share it."""
        graph = self.graph
        x = graph.add("Unsqueeze", x, graph.integers(2))
        x = graph.add("Expand", x, graph.integers(1, 1, self.head_count // self.key_heads, 1, 1))
        return graph.add("Reshape", x, graph.integers(0, self.head_count, -1, self.head_size))

    def keep(self, a):
        """Zeroes all groups of a[B, S, ffn] but the k with the largest sums."""
        graph, config = self.graph, self.config
        groups = graph.add("Reshape", a, graph.integers(0, 0, config["ffn"] // config["group"], config["group"]))
        sums = graph.add("ReduceSum", groups, graph.integers(-1), keepdims=0)
        top, places = graph.unique("top"), graph.unique("top_places")
        graph.add("TopK", sums, graph.integers(config["k"]), axis=-1, outputs=[top, places])
        least = graph.add("Slice", top, graph.integers(-1), graph.integers(2**63 - 1), graph.integers(2))  # [B, S, 1]
        kept = graph.add("Cast", graph.add("GreaterOrEqual", sums, least), to=onnx.TensorProto.FLOAT)
        kept = graph.add("Mul", groups, graph.add("Unsqueeze", kept, graph.integers(-1)))
        return graph.add("Reshape", kept, graph.integers(0, 0, config["ffn"]))

    def feed_forward(self, x, layer):
        a = self.graph.add("Relu", self.linear(x, f"{layer}.up"))
        a = self.graph.add("Mul", a, a)
        return self.linear(self.keep(a) if self.config["k"] else a, f"{layer}.down")

    def model(self, taps):
        """The ONNX model. taps: layers of the large model behind which its hidden states are read."""
        graph, config = self.graph, self.config
        ids = graph.input("input_ids", np.int64, ["batch", "sequence"])
        attention_mask = graph.input("attention_mask", np.int64, ["batch", "total_sequence"])
        positions = graph.input("position_ids", np.int64, ["batch", "sequence"])
        for index in range(config["layers"]):
            for kind in ("key", "value"):
                shape = ["batch", self.key_heads, "past_sequence", self.head_size]
                graph.input(f"past_key_values.{index}.{kind}", np.float32, shape)
        table, mask = self.rotary_table(positions), self.mask(ids, attention_mask)
        finished = [None] * config["layers"]
        if self.is_small:
            shape = ["batch", "tandem_sequence", config["src"]]
            states = [graph.input(f"tandem_states.{index}", np.float32, shape) for index in range(config["layers"])]
            finished_table = self.rotary_table(graph.input("tandem_position_ids", np.int64, shape[:2]))
            finished = [(state, finished_table) for state in states]
        embedding = self.weight("emb")
        x = graph.add("Gather", embedding, ids, axis=0, label="embedded")
        x = graph.add("Mul", x, graph.floats("scale", config["emb_scale"]))
        for index in range(config["layers"]):
            layer = f"layers.{index}"
            with graph.scope(layer):
                x = graph.add("Add", x, self.attention(self.rms(x, f"{layer}.n1"), index, table, mask, finished[index]))
                inner = self.feed_forward(self.rms(x, f"{layer}.n2"), layer)
                tapped = not self.is_small and index in taps
                outputs = [f"tandem_states.{taps.index(index)}"] if tapped else None
                x = graph.add("Add", x, inner, outputs=outputs)
                x = x[0] if tapped else x
        head = graph.add("Transpose", embedding, perm=[1, 0])
        graph.add("MatMul", self.rms(x, "norm"), head, outputs=["logits"])
        graph.output("logits", np.float32, ["batch", "sequence", config["vocab"]])
        for index in range(config["layers"]):
            for kind in ("key", "value"):
                shape = ["batch", self.key_heads, "total_sequence", self.head_size]
                graph.output(f"present.{index}.{kind}", np.float32, shape)
        if not self.is_small:
            for index in range(len(taps)):
                graph.output(f"tandem_states.{index}", np.float32, ["batch", "sequence", config["d"]])
        return graph.model({"context_length": str(config["context"])})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--joined", action="store_true", help="write pair.onnx, too")
    options = parser.parse_args()
    configs = {name: json.loads((options.weights / f"{name}.json").read_text()) for name in ("large", "small")}
    models = {
        name: Decoder(config, read_safetensors(options.weights / f"{name}.safetensors")).model(configs["small"]["taps"])
        for name, config in configs.items()
    }
    options.output.mkdir(parents=True, exist_ok=True)
    for name, model in models.items():
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, options.output / f"{'model' if name == 'large' else name}.onnx")
    if options.joined:
        from join import join

        onnx.save(join(models["large"], models["small"]), options.output / "pair.onnx")


if __name__ == "__main__":
    main()
