#!/usr/bin/env python3
"""Exports Gemma 3 (text) from GGUF to ONNX: `model.onnx`, `model.onnx.data` and `tokenizer.json`.

    python export.py gemma-3-270m-q4_k_m.gguf OUTPUT_FOLDER

The graph is one step of cached decoding. B is the batch, S the new tokens, P the tokens in the cache, T = P + S:

    input_ids       i64[B, S]              logits         f32[B, S, vocabulary]
    attention_mask  i64[B, T]   (0: pad)   present.N.key  f32[B, key heads, T, head size]
    position_ids    i64[B, S]              present.N.value
    past_key_values.N.key, .value  f32[B, key heads, P, head size]

P may be 0. Read `model` at the end first, then `layer`, then upwards.

The graph is written in opset 23, the first in which RMS normalization, rotary embedding and attention are single nodes
whose meaning the standard fixes: the graph then reads like the model, and no optimizer has to guess what forty small
nodes mean. `--opset 18` writes the same layers in the primitives that older runtimes know (see `operators.py`).

Weights are stored in f32, the exact values of the GGUF blocks, matrices as [in, out] for MatMul. The embedding is
stored once, as [vocabulary, width], and is also the output head through a Transpose. GGUF has 1 + w for the weight w of
Gemma's norms, which is what RMS normalization multiplies by.
"""

import argparse
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from gguf import GGUFReader, dequantize

from fetch import TERMS
from graph import Graph
from operators import OPERATORS
from tokenizer import write_tokenizer

# Every sixth layer looks at the whole text; the others at a window, with a rotary base of their own.
LAYERS_PER_GLOBAL_LAYER = 6
LOCAL_ROTARY_BASE = 10000.0


@dataclass
class Configuration:
    """Sizes of the model, as the GGUF file states them."""

    layers: int
    width: int
    hidden: int
    heads: int
    key_heads: int
    head_size: int
    window: int
    epsilon: float
    rotary_base: float
    context: int

    @staticmethod
    def of(reader):
        """Reads the sizes from an open GGUF file."""
        fields = reader.fields
        architecture = fields["general.architecture"].contents()
        if architecture != "gemma3":
            raise ValueError(f"the GGUF file holds a '{architecture}' model; this script exports 'gemma3'")
        value = lambda key: fields["gemma3." + key].contents()
        return Configuration(
            layers=value("block_count"),
            width=value("embedding_length"),
            hidden=value("feed_forward_length"),
            heads=value("attention.head_count"),
            key_heads=value("attention.head_count_kv"),
            head_size=value("attention.key_length"),
            window=value("attention.sliding_window"),
            epsilon=value("attention.layer_norm_rms_epsilon"),
            rotary_base=value("rope.freq_base"),
            context=value("context_length"),
        )

    def is_global(self, layer):
        return (layer + 1) % LAYERS_PER_GLOBAL_LAYER == 0


class Gemma3:
    """Builds the graph. Methods take and return names of values; comments and docstrings give their shapes."""

    def __init__(self, reader, configuration, graph):
        self.tensors = {tensor.name: tensor for tensor in reader.tensors}
        self.configuration = configuration
        self.graph = graph
        self.operators = OPERATORS[graph.opset](graph)

    # Weights

    def matrix(self, tensor, name):
        """Stores a linear map as [in, out]; GGUF has [out, in]."""
        source = self.tensors[tensor]
        values = dequantize(source.data, source.tensor_type)
        return self.graph.weight(name, values.T.shape, [values.T])

    def vector(self, tensor, name):
        """Stores a small vector inside the graph."""
        return self.graph.constant(name, np.array(self.tensors[tensor].data, np.float32))

    def embedding(self, rows_at_a_time=16384):
        """Stores the embedding as [vocabulary, width], dequantized a few rows at a time."""
        source = self.tensors["token_embd.weight"]
        rows = len(source.data)
        chunks = (
            dequantize(source.data[start : start + rows_at_a_time], source.tensor_type)
            for start in range(0, rows, rows_at_a_time)
        )
        return self.graph.weight("embedding.weight", [rows, self.configuration.width], chunks), rows

    # Parts of a layer

    def linear(self, x, tensor, label):
        """x[B, S, in] -> [B, S, out], no bias."""
        name = "/".join(self.graph.scopes + [label]).replace("/", ".") + ".weight"
        return self.graph.add("MatMul", x, self.matrix(tensor, name), label=label)

    def rms_norm(self, x, tensor, label):
        """x / sqrt(mean(x^2) + epsilon) * weight over the last axis; same shape."""
        name = "/".join(self.graph.scopes + [label]).replace("/", ".") + ".weight"
        return self.operators.rms_norm(x, self.vector(tensor, name), self.configuration.epsilon, label)

    def split_heads(self, x, heads, label):
        """x[B, S, heads * head size] -> [B, S, heads, head size]."""
        return self.graph.add(
            "Reshape", x, self.graph.integers(0, 0, heads, self.configuration.head_size), label=label
        )

    def heads_first(self, x, label):
        """x[B, S, heads, head size] -> [B, heads, S, head size]."""
        return self.graph.add("Transpose", x, perm=[0, 2, 1, 3], label=label)

    def rotary_table(self, positions, base, label):
        """Cosine and sine of position / base^(2i / head size), each [B, S, head size / 2], from positions[B, S]."""
        graph, size = self.graph, self.configuration.head_size
        with graph.scope(label):
            frequencies = (base ** -(np.arange(0, size, 2) / size)).astype(np.float32)
            position = graph.add(
                "Unsqueeze", graph.add("Cast", positions, to=onnx.TensorProto.FLOAT), graph.integers(2)
            )
            angles = graph.add(
                "Mul", position, graph.constant(f"{label}.frequencies", frequencies), label="angles"
            )
            return graph.add("Cos", angles), graph.add("Sin", angles)

    def masks(self, input_ids, attention_mask):
        """Which keys a query may see: bool[B, 1, S, T] for layers with a window and for layers without.

        seen     = (key <= query and attention_mask[key]) or key == query
        windowed = seen and key > query - window

        with places counted in the cache, padding included. A padding token sees itself, so that no row is empty.
        """
        graph, zero, one = self.graph, self.graph.integers(0), self.graph.integers(1)
        with graph.scope("mask"):
            total = graph.add("Shape", attention_mask, start=1, end=2, label="total")
            new = graph.add("Shape", input_ids, start=1, end=2, label="new")
            scalar = lambda x, label: graph.add("Squeeze", x, zero, label=label)
            end = scalar(total, "end")
            start = scalar(graph.add("Sub", total, new, label="past"), "start")
            zero_scalar, one_scalar = graph.constant("zero", np.int64(0)), graph.constant("one", np.int64(1))
            key = graph.add("Range", zero_scalar, end, one_scalar, label="key")  # [T]
            query = graph.add("Range", start, end, one_scalar, label="query")  # [S]
            query = graph.add("Unsqueeze", query, one, label="query_column")  # [S, 1]
            padding = graph.add("Cast", attention_mask, to=onnx.TensorProto.BOOL, label="not_padding")
            padding = graph.add("Unsqueeze", padding, graph.integers(1, 2))  # [B, 1, 1, T]
            causal = graph.add("And", padding, graph.add("LessOrEqual", key, query), label="causal")
            seen = graph.add("Or", causal, graph.add("Equal", key, query), label="seen")
            edge = graph.add("Sub", query, graph.integers(self.configuration.window), label="window_edge")
            return graph.add("And", seen, graph.add("Greater", key, edge), label="windowed"), seen

    def attention(self, x, layer, table, mask):
        """x[B, S, width] -> [B, S, width], with the keys and values of layer `layer` appended to its cache.

        Heads share keys in groups: heads / key heads queries for each. Queries and keys are normalized by head.
        """
        graph, block, sizes = self.graph, f"blk.{layer}.", self.configuration
        with graph.scope("attention"):
            query = self.split_heads(self.linear(x, block + "attn_q.weight", "query"), sizes.heads, "query_heads")
            key = self.split_heads(self.linear(x, block + "attn_k.weight", "key"), sizes.key_heads, "key_heads")
            value = self.split_heads(
                self.linear(x, block + "attn_v.weight", "value"), sizes.key_heads, "value_heads"
            )
            query = self.rms_norm(query, block + "attn_q_norm.weight", "query_norm")
            key = self.rms_norm(key, block + "attn_k_norm.weight", "key_norm")
            query = self.operators.rotary(self.heads_first(query, "query_by_head"), *table, "query_rotary")
            key = self.operators.rotary(self.heads_first(key, "key_by_head"), *table, "key_rotary")
            value = self.heads_first(value, "value_by_head")
            cache = [f"past_key_values.{layer}.key", f"past_key_values.{layer}.value"]
            present = [f"present.{layer}.key", f"present.{layer}.value"]
            mixed = self.operators.attention(query, key, value, mask, cache, present, sizes)
            mixed = self.heads_first(mixed, "by_token")  # [B, S, heads, head size]: the swap undoes itself
            mixed = graph.add(
                "Reshape", mixed, graph.integers(0, 0, sizes.heads * sizes.head_size), label="joined"
            )
            return self.linear(mixed, block + "attn_output.weight", "output")

    def feed_forward(self, x, layer):
        """down(gelu(gate(x)) * up(x)): x[B, S, width] -> [B, S, width] through [B, S, hidden]."""
        block = f"blk.{layer}."
        with self.graph.scope("feed_forward"):
            gate = self.operators.gelu(self.linear(x, block + "ffn_gate.weight", "gate"), "gelu")
            up = self.linear(x, block + "ffn_up.weight", "up")
            return self.linear(self.graph.add("Mul", gate, up, label="gated"), block + "ffn_down.weight", "down")

    def layer(self, x, layer, table, mask):
        """x[B, S, width] -> [B, S, width]: attention, then feed-forward, each between two norms and added to x."""
        graph, block = self.graph, f"blk.{layer}."
        with graph.scope(f"layers.{layer}"):
            inner = self.rms_norm(x, block + "attn_norm.weight", "attention_norm")
            inner = self.attention(inner, layer, table, mask)
            inner = self.rms_norm(inner, block + "post_attention_norm.weight", "after_attention_norm")
            x = graph.add("Add", x, inner, label="attention_residual")
            inner = self.rms_norm(x, block + "ffn_norm.weight", "feed_forward_norm")
            inner = self.feed_forward(inner, layer)
            inner = self.rms_norm(inner, block + "post_ffw_norm.weight", "after_feed_forward_norm")
            return graph.add("Add", x, inner, label="feed_forward_residual")

    # The whole

    def model(self):
        """Adds inputs, embedding, layers, head and outputs."""
        graph, sizes = self.graph, self.configuration
        input_ids = graph.input("input_ids", np.int64, ["batch", "sequence"])
        attention_mask = graph.input("attention_mask", np.int64, ["batch", "total_sequence"])
        positions = graph.input("position_ids", np.int64, ["batch", "sequence"])
        for layer in range(sizes.layers):
            for kind in ("key", "value"):
                shape = ["batch", sizes.key_heads, "past_sequence", sizes.head_size]
                graph.input(f"past_key_values.{layer}.{kind}", np.float32, shape)

        embedding, vocabulary = self.embedding()
        local_table = self.rotary_table(positions, LOCAL_ROTARY_BASE, "rotary_local")
        global_table = self.rotary_table(positions, sizes.rotary_base, "rotary_global")
        windowed, seen = self.masks(input_ids, attention_mask)

        x = graph.add("Gather", embedding, input_ids, axis=0, label="embedded")  # [B, S, width]
        x = graph.add("Mul", x, graph.floats("embedding.scale", np.sqrt(sizes.width)), label="scaled")
        for layer in range(sizes.layers):
            table, mask = (global_table, seen) if sizes.is_global(layer) else (local_table, windowed)
            x = self.layer(x, layer, table, mask)
        x = self.rms_norm(x, "output_norm.weight", "final_norm")
        head = graph.add("Transpose", embedding, perm=[1, 0], label="head")  # [width, vocabulary]
        graph.add("MatMul", x, head, label="head_product", outputs=["logits"])

        graph.output("logits", np.float32, ["batch", "sequence", vocabulary])
        for layer in range(sizes.layers):
            for kind in ("key", "value"):
                shape = ["batch", sizes.key_heads, "total_sequence", sizes.head_size]
                graph.output(f"present.{layer}.{kind}", np.float32, shape)


def export(source, folder, opset):
    """Writes the three files to `folder`, and the terms of use that lie beside `source`. Returns the number of nodes.

    The files appear only when all are complete.
    """
    reader = GGUFReader(str(source))
    configuration = Configuration.of(reader)
    work = folder / f".export-{os.getpid()}"
    work.mkdir(parents=True)
    try:
        with open(work / "model.onnx.data", "wb") as data:
            graph = Graph("gemma-3", opset, data)
            Gemma3(reader, configuration, graph).model()
        model = graph.model({"context_length": str(configuration.context), "license": "Gemma Terms of Use"})
        onnx.save(model, work / "model.onnx")
        onnx.checker.check_model(str(work / "model.onnx"))
        write_tokenizer(reader, work / "tokenizer.json")
        terms = [name for name in TERMS if (source.parent / name).exists()]
        for name in terms:
            shutil.copyfile(source.parent / name, work / name)
        # The graph goes last: where it stands, the rest is complete.
        (folder / "model.onnx").unlink(missing_ok=True)
        for name in (*terms, "model.onnx.data", "tokenizer.json", "model.onnx"):
            os.replace(work / name, folder / name)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return len(graph.nodes)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], epilog="The exported weights stay under the Gemma Terms of Use."
    )
    parser.add_argument("gguf", type=Path, help="a Gemma 3 text model")
    parser.add_argument("output", type=Path, help="folder for the three files")
    parser.add_argument("--opset", type=int, choices=sorted(OPERATORS), default=23)
    options = parser.parse_args()
    try:
        nodes = export(options.gguf, options.output, options.opset)
    except (OSError, ValueError) as error:
        sys.exit(f"export.py: {error}")
    print(f"wrote {options.output / 'model.onnx'}: {nodes} nodes, opset {options.opset}", file=sys.stderr)


if __name__ == "__main__":
    main()
