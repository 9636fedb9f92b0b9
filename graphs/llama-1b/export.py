#!/usr/bin/env python3
"""Writes a decoder of the shape of Llama 3.2 1B with random weights: `model.onnx` and 4.9 GB of `model.onnx.data`.

    python export.py OUTPUT_FOLDER

For measurements of how time and memory grow with size: it says nothing sensible, and has no tokenizer. Inputs and outputs
are those of `graphs/gemma-3-270m/export.py`, and so is the way it is written:

    x = embedding[input_ids]
    16 times:  x += attention(rms_norm(x))        32 heads over 8, rotary base 500000
               x += down(silu(gate(y)) * up(y))   with y = rms_norm(x)
    logits = rms_norm(x) embedding^T
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import onnx

sys.path.insert(0, str(Path(__file__).parents[1] / "gemma-3-270m"))
from graph import Graph  # noqa: E402
from operators import StandardOperators  # noqa: E402


class Decoder:
    """Builds the graph. Methods take and return names of values; comments give their shapes."""

    name = "llama-1b"
    layers, width, hidden, vocabulary = 16, 2048, 8192, 128256
    heads, key_heads, head_size = 32, 8, 64
    rotary_base, epsilon, context = 500000.0, 1e-5, 8192

    def __init__(self, graph, seed):
        self.graph, self.operators = graph, StandardOperators(graph)
        self.random = np.random.default_rng(seed)
        # Drawing 1.2 billion numbers takes long: all are pieces of these.
        self.numbers = self.random.standard_normal(1 << 24, np.float32)

    def matrix(self, label, rows, columns):
        """A random [rows, columns] whose products keep the size of what they multiply."""
        count = min(rows * columns, len(self.numbers) // 2)
        scaled = self.numbers * np.float32(rows**-0.5)
        starts = self.random.integers(0, len(scaled) - count, -(-rows * columns // count))
        ends = (min(count, rows * columns - index * count) for index in range(len(starts)))
        chunks = (scaled[start : start + end] for start, end in zip(starts, ends))
        return self.graph.weight(".".join([*self.graph.scopes, label, "weight"]), [rows, columns], chunks)

    def linear(self, x, rows, columns, label):
        """x[B, S, rows] -> [B, S, columns]."""
        return self.graph.add("MatMul", x, self.matrix(label, rows, columns), label=label)

    def rms_norm(self, x, label):
        weight = self.graph.constant(".".join([*self.graph.scopes, label]), np.ones(self.width, np.float32))
        return self.operators.rms_norm(x, weight, self.epsilon, label)

    def split_heads(self, x, count, label):
        """x[B, S, count * head size] -> [B, count, S, head size]."""
        x = self.graph.add("Reshape", x, self.graph.integers(0, 0, count, self.head_size), label=f"{label}_heads")
        return self.graph.add("Transpose", x, perm=[0, 2, 1, 3], label=f"{label}_by_head")

    def rotary_table(self, positions):
        """Cosine and sine of position / base^(2i / head size), each [B, S, head size / 2]."""
        graph = self.graph
        frequencies = (self.rotary_base ** -(np.arange(0, self.head_size, 2) / self.head_size)).astype(np.float32)
        position = graph.add("Unsqueeze", graph.add("Cast", positions, to=onnx.TensorProto.FLOAT), graph.integers(2))
        angles = graph.add("Mul", position, graph.constant("rotary.frequencies", frequencies), label="angles")
        return graph.add("Cos", angles), graph.add("Sin", angles)

    def mask(self, input_ids, attention_mask):
        """bool[B, 1, S, T]: keys that a query may see, itself and what is before it, without padding."""
        graph, zero, one = self.graph, self.graph.integers(0), self.graph.integers(1)
        with graph.scope("mask"):
            total = graph.add("Shape", attention_mask, start=1, end=2, label="total")
            new = graph.add("Shape", input_ids, start=1, end=2, label="new")
            end = graph.add("Squeeze", total, zero, label="end")
            start = graph.add("Squeeze", graph.add("Sub", total, new), zero, label="start")
            step, origin = graph.constant("one", np.int64(1)), graph.constant("zero", np.int64(0))
            key = graph.add("Range", origin, end, step, label="key")  # [T]
            query = graph.add("Unsqueeze", graph.add("Range", start, end, step), one, label="query")  # [S, 1]
            padding = graph.add("Cast", attention_mask, to=onnx.TensorProto.BOOL)
            padding = graph.add("Unsqueeze", padding, graph.integers(1, 2))  # [B, 1, 1, T]
            return graph.add("And", padding, graph.add("LessOrEqual", key, query), label="seen")

    def attention(self, x, layer, table, mask):
        """x[B, S, width] -> [B, S, width], with keys and values appended to the cache."""
        graph = self.graph
        query = self.split_heads(self.linear(x, self.width, self.heads * self.head_size, "query"), self.heads, "query")
        key = self.split_heads(self.linear(x, self.width, self.key_heads * self.head_size, "key"), self.key_heads, "key")
        value = self.split_heads(self.linear(x, self.width, self.key_heads * self.head_size, "value"), self.key_heads, "value")
        query = self.operators.rotary(query, *table, "query_rotary")
        key = self.operators.rotary(key, *table, "key_rotary")
        past, present = (
            [f"{name}.{layer}.{kind}" for kind in ("key", "value")] for name in ("past_key_values", "present")
        )
        mixed = self.operators.attention(query, key, value, mask, past, present, self)
        mixed = graph.add("Transpose", mixed, perm=[0, 2, 1, 3], label="mixed_by_token")
        mixed = graph.add("Reshape", mixed, graph.integers(0, 0, self.heads * self.head_size))
        return self.linear(mixed, self.heads * self.head_size, self.width, "output")

    def feed_forward(self, x):
        """down(silu(gate(x)) * up(x))."""
        graph = self.graph
        gate = self.linear(x, self.width, self.hidden, "gate")
        gate = graph.add("Mul", gate, graph.add("Sigmoid", gate), label="silu")
        gated = graph.add("Mul", gate, self.linear(x, self.width, self.hidden, "up"), label="gated")
        return self.linear(gated, self.hidden, self.width, "down")

    def model(self):
        """Adds inputs, embedding, layers, head and outputs."""
        graph = self.graph
        input_ids = graph.input("input_ids", np.int64, ["batch", "sequence"])
        attention_mask = graph.input("attention_mask", np.int64, ["batch", "total_sequence"])
        positions = graph.input("position_ids", np.int64, ["batch", "sequence"])
        embedding = self.matrix("embedding", self.vocabulary, self.width)
        table, mask = self.rotary_table(positions), self.mask(input_ids, attention_mask)
        x = graph.add("Gather", embedding, input_ids, axis=0, label="embedded")
        for layer in range(self.layers):
            with graph.scope(f"layers.{layer}"):
                inner = self.attention(self.rms_norm(x, "attention_norm"), layer, table, mask)
                x = graph.add("Add", x, inner, label="attention_residual")
                inner = self.feed_forward(self.rms_norm(x, "feed_forward_norm"))
                x = graph.add("Add", x, inner, label="feed_forward_residual")
        head = graph.add("Transpose", embedding, perm=[1, 0], label="head")
        graph.add("MatMul", self.rms_norm(x, "final_norm"), head, label="head_product", outputs=["logits"])
        graph.output("logits", np.float32, ["batch", "sequence", self.vocabulary])
        for layer in range(self.layers):
            for kind in ("key", "value"):
                shape = ["batch", self.key_heads, "past_sequence", self.head_size]
                graph.input(f"past_key_values.{layer}.{kind}", np.float32, shape)
                shape[2] = "total_sequence"
                graph.output(f"present.{layer}.{kind}", np.float32, shape)


def write(decoder, description):
    """The command line of a script that writes what `decoder`, a kind of Decoder, builds."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    graph_file = options.output / "model.onnx"
    # The graph goes last: where it stands, the rest is complete.
    graph_file.unlink(missing_ok=True)
    with open(options.output / "model.onnx.data", "wb") as data:
        graph = Graph(decoder.name, 23, data)
        decoder(graph, options.seed).model()
    onnx.save(graph.model({"context_length": str(decoder.context)}), graph_file)
    print(f"wrote {graph_file}: {len(graph.nodes)} nodes", file=sys.stderr)


if __name__ == "__main__":
    write(Decoder, __doc__.split("\n")[0])
