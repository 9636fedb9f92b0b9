#!/usr/bin/env python3
"""Fills graphs of Gemma 3 that exporters wrote, and whose weights are absent, with the weights of the GGUF file.

    python fill.py gemma-3-270m-q4_k_m.gguf OUTPUT_FOLDER GRAPH.onnx...

For each `GRAPH.onnx` writes `OUTPUT_FOLDER/GRAPH/`: `model.onnx`, the same graph; its external data at the places
where the graph says they are; links to `tokenizer.json` and the terms of use in `OUTPUT_FOLDER`.

The graph alone says which weight is which (`Initializers.role`):

    by name          model.layers.3.mlp.up_proj.weight_t    genai, mobius; torch.onnx where nothing was folded
    by reader's name onnx::MatMul_6897, read by             optimum
                     /model/layers.0/self_attn/o_proj/MatMul
    by position      val_204, the first matrix in the       torch.onnx, which names what it folds by number
                     order of the nodes: query of layer 0

and how it is stored: matrices as [in, out] or [out, in], queries, keys and values in one or in three, norms as 1 + w
(what GGUF has) or as w where the graph adds 1, embedding and head in one or in two, rotary tables or frequencies.
What is not identified, or has another shape or value than the model, ends the run with a message.

f32 weights are the exact values of the GGUF blocks. `MatMulNBits` weights are those values rounded to 4 bits as
ONNX Runtime's quantizer rounds by default (`quantize`); such a graph is marked in its metadata, and is another model.
"""

import argparse
import os
import shutil
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import onnx
from gguf import GGUFReader, dequantize
from google.protobuf.message import DecodeError
from onnx import TensorProto, numpy_helper

from export import LOCAL_ROTARY_BASE, Configuration
from fetch import TERMS
from tokenizer import write_tokenizer

# Parts of a layer in the order in which a decoder runs through them, and the GGUF tensors that they hold.
MATRICES = {
    "q_proj": "attn_q",
    "k_proj": "attn_k",
    "v_proj": "attn_v",
    "o_proj": "attn_output",
    "gate_proj": "ffn_gate",
    "up_proj": "ffn_up",
    "down_proj": "ffn_down",
}
NORMS = {
    "input_layernorm": "attn_norm",
    "q_norm": "attn_q_norm",
    "k_norm": "attn_k_norm",
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}
FUSED = {"qkv_proj": ["q_proj", "k_proj", "v_proj"]}
# Parts outside of the layers. genai counts the last norm as one of a layer.
EMBEDDING, FINAL_NORM = "token_embd.weight", "output_norm.weight"
OUTER = {"embed_tokens": EMBEDDING, "lm_head": EMBEDDING, "norm": FINAL_NORM, "final_norm_layernorm": FINAL_NORM}

# Rotary tables by the last words of their names: function of the angles (none: the frequencies), global or local base.
ROTARY = {
    ("rotary_emb", "full_attention_inv_freq"): (None, True),
    ("rotary_emb", "sliding_attention_inv_freq"): (None, False),
    ("cos_cache_global",): (np.cos, True),
    ("sin_cache_global",): (np.sin, True),
    ("cos_cache_local",): (np.cos, False),
    ("sin_cache_local",): (np.sin, False),
    ("rotary_emb", "cos_cache"): (np.cos, True),
    ("rotary_emb", "sin_cache"): (np.sin, True),
    ("rotary_emb_local", "cos_cache"): (np.cos, False),
    ("rotary_emb_local", "sin_cache"): (np.sin, False),
}

BITS, BLOCK = 4, 32
ROWS_AT_A_TIME = 16384


def quantize(rows):
    """rows f32[N, K] -> codes u8[N, K / 32, 16], the even element in the low half of a byte, and scales f32[N, K / 32].

    Round to nearest, symmetric, as MLAS does for `MatMulNBits` without zero points: in each block of 32 the element m
    of the largest magnitude (the negative one of two) becomes code 0, that is -8.

        scale = m / -8        code = clip(round(x / scale) + 8, 0, 15)        x ~ (code - 8) * scale
    """
    blocks = rows.reshape(len(rows), -1, BLOCK)
    low, high = blocks.min(axis=2), blocks.max(axis=2)
    scales = np.where(np.abs(high) > np.abs(low), high, low) / np.float32(-8)
    inverse = np.divide(np.float32(1), scales, out=np.zeros_like(scales), where=scales != 0)
    codes = np.clip(np.round(blocks * inverse[..., None]) + 8, 0, 15).astype(np.uint8)
    return codes[..., ::2] | codes[..., 1::2] << 4, scales


def rotary_table(function, base, shape):
    """Frequencies base^(-2i / head size) as f32[head size / 2], or `function` of position times frequency.

    In f32 throughout, like PyTorch, where the exporters computed them.
    """
    size = np.float32(2 * shape[-1])
    frequencies = np.float32(1) / np.float32(base) ** (np.arange(0, size, 2, dtype=np.float32) / size)
    if function is None:
        return frequencies
    return function(np.arange(shape[0], dtype=np.float32)[:, None] * frequencies)


def words_of(name):
    """`/model/layers.0/mlp/up_proj/MatMul` -> model, layers, 0, mlp, up_proj, MatMul."""
    return name.strip("/").replace("/", ".").split(".")


def tensors_named(name):
    """The GGUF tensors that a name speaks of, or None. Several are stored as one, below one another."""
    words = words_of(name)
    outer = [OUTER[word] for word in words if word in OUTER]
    if outer:
        return outer[:1]
    part = next((word for word in words if word in MATRICES or word in NORMS or word in FUSED), None)
    if part is None or "layers" not in words[:-1]:
        return None
    layer = words[words.index("layers") + 1]
    return [f"blk.{layer}.{(MATRICES | NORMS)[part]}.weight" for part in FUSED.get(part, [part])]


class Initializers:
    """The initializers of a graph and what the graph says about them."""

    def __init__(self, graph, layers):
        self.all = {tensor.name: tensor for tensor in graph.initializer}
        self.readers = defaultdict(list)
        for node in graph.node:
            for place, name in enumerate(node.input):
                if name in self.all:
                    self.readers[name].append((node, place))
        self.by_position = self.identify_by_position(layers)

    def external(self):
        return [tensor for tensor in self.all.values() if tensor.data_location == TensorProto.EXTERNAL]

    def names(self, tensor):
        """What may tell the weight: its own name and those of the nodes that read it."""
        return [tensor.name, *(node.name for node, _ in self.readers[tensor.name])]

    def identify_by_name(self, tensor):
        """Returns the GGUF tensors of an initializer, or None. Names must not contradict each other."""
        found = [tensors for tensors in map(tensors_named, self.names(tensor)) if tensors]
        if any(tensors != found[0] for tensors in found):
            raise ValueError(f"'{tensor.name}' goes by contradicting names: {', '.join(self.names(tensor))}")
        return found[0] if found else None

    def identify_by_position(self, layers):
        """GGUF tensors of the external initializers without a telling name, in the order of the nodes that read them.

        All matrices of all layers must be among them, or none; the norms likewise.
        """
        unnamed = {t.name for t in self.external() if not self.rotary(t) and not self.identify_by_name(t)}
        order = [name for name in self.readers if name in unnamed]
        block = lambda parts: [f"blk.{layer}.{part}.weight" for layer in range(layers) for part in parts.values()]
        found = {}
        for rank, expected in ((2, block(MATRICES)), (1, [*block(NORMS), FINAL_NORM])):
            names = [name for name in order if len(self.all[name].dims) == rank]
            if names and len(names) != len(expected):
                raise ValueError(
                    f"{len(names)} initializers with {rank} dimensions have no telling name, as '{names[0]}', "
                    f"read by '{self.names(self.all[names[0]])[1]}'; by position, {len(expected)} can be identified"
                )
            found |= {name: [tensor] for name, tensor in zip(names, expected)}
        return found

    def rotary(self, tensor):
        """Returns function and base of a rotary table, or None."""
        words = tuple(words_of(tensor.name))
        return next((ROTARY[words[-n:]] for n in (2, 1) if words[-n:] in ROTARY), None)

    def role(self, tensor):
        """Returns the GGUF tensors of an initializer."""
        tensors = self.by_position.get(tensor.name) or self.identify_by_name(tensor)
        if not tensors:
            raise ValueError(f"cannot tell which weight this is: {', '.join(self.names(tensor))}")
        return tensors

    def adds_one(self, tensor):
        """Whether the graph adds 1 to a norm weight: w is stored, not 1 + w."""
        other = [node.input[1 - place] for node, place in self.readers[tensor.name] if node.op_type == "Add"]
        return any(name in self.all and np.all(numpy_helper.to_array(self.all[name]) == 1) for name in other)

    def quantized(self, tensor):
        """Whether these are the codes (1) or the scales (2) of `MatMulNBits`; 0 when they are neither."""
        for node, place in self.readers[tensor.name]:
            if node.op_type == "MatMulNBits" and place > 0:
                sizes = {"bits": 4} | {attribute.name: attribute.i for attribute in node.attribute}
                if (sizes["bits"], sizes["block_size"]) != (BITS, BLOCK) or place > 2:
                    raise ValueError(
                        f"'{tensor.name}' is input {place} of '{node.name}' with {sizes['bits']} bits in blocks of "
                        f"{sizes['block_size']}; inputs 1 and 2 with {BITS} bits in blocks of {BLOCK} can be filled"
                    )
                return place
        return 0


def expect(tensor, shape):
    """Refuses an initializer of another shape than the model has."""
    if list(tensor.dims) != shape:
        raise ValueError(f"'{tensor.name}' is {list(tensor.dims)}; the GGUF file makes it {shape}")


class Filler:
    """Computes the elements of initializers from the tensors of a GGUF file."""

    def __init__(self, reader):
        self.configuration = Configuration.of(reader)
        self.tensors = {tensor.name: tensor for tensor in reader.tensors}

    def rows(self, names):
        """Yields the first row and f32[rows, in] of the matrices [out, in] `names`, below one another, in pieces."""
        first = 0
        for name in names:
            source = self.tensors[name]
            for start in range(0, len(source.data), ROWS_AT_A_TIME):
                rows = dequantize(source.data[start : start + ROWS_AT_A_TIME], source.tensor_type)
                yield first, rows
                first += len(rows)

    def shape(self, names):
        """Shape of the tensors `names` below one another; GGUF has the innermost dimension first."""
        missing = [name for name in names if name not in self.tensors]
        if missing:
            raise ValueError(f"the GGUF file has no tensor '{missing[0]}'")
        shapes = [[int(size) for size in reversed(self.tensors[name].shape)] for name in names]
        return [sum(shape[0] for shape in shapes), *shapes[0][1:]]

    def norm(self, initializers, tensor, name):
        """f32[width]: 1 + w, or w where the graph adds 1."""
        weight = np.array(self.tensors[name].data, np.float32)
        return weight - np.float32(1) if initializers.adds_one(tensor) else weight

    def fill(self, initializers, tensor, target):
        """Writes all elements of an initializer to `target`, an array of its type and shape."""
        shape = list(target.shape)
        if rotary := initializers.rotary(tensor):
            function, is_global = rotary
            sizes = self.configuration
            positions = [] if function is None else [sizes.context]
            expect(tensor, [*positions, sizes.head_size // 2])
            target[...] = rotary_table(function, sizes.rotary_base if is_global else LOCAL_ROTARY_BASE, shape)
            return
        names = initializers.role(tensor)
        stored = self.shape(names)
        if len(stored) == 1:
            expect(tensor, stored)
            target[...] = self.norm(initializers, tensor, names[0])
        elif place := initializers.quantized(tensor):
            blocks = [stored[0], stored[1] // BLOCK]
            expect(tensor, [*blocks, BLOCK * BITS // 8] if place == 1 else blocks)
            for first, rows in self.rows(names):
                target[first : first + len(rows)] = quantize(rows)[place - 1]
        elif shape == stored:
            for first, rows in self.rows(names):
                target[first : first + len(rows)] = rows
        else:
            expect(tensor, stored[::-1])
            for first, rows in self.rows(names):
                target[:, first : first + len(rows)] = rows.T

    def check_inner(self, initializers):
        """Norms that the graph brings along must be those of the GGUF file: else it is a graph of another model."""
        for tensor in initializers.all.values():
            if tensor.data_location == TensorProto.EXTERNAL or len(tensor.dims) != 1:
                continue
            names = initializers.identify_by_name(tensor) or []
            if names and list(tensor.dims) == self.shape(names):
                if not np.array_equal(numpy_helper.to_array(tensor), self.norm(initializers, tensor, names[0])):
                    raise ValueError(f"'{tensor.name}' in the graph differs from '{names[0]}' of the GGUF file")

    def fill_graph(self, path, folder):
        """Writes the graph `path` and its data to `folder`. Returns the number of initializers filled."""
        model = onnx.load(path, load_external_data=False)
        initializers = Initializers(model.graph, self.configuration.layers)
        self.check_inner(initializers)
        external = initializers.external()
        if not external:
            raise ValueError("the graph has no external data that could be filled")
        for tensor in external:
            place = {entry.key: entry.value for entry in tensor.external_data}
            if Path(place["location"]).name != place["location"]:
                raise ValueError(f"'{tensor.name}' lies in '{place['location']}', outside of the graph's folder")
            file = folder / place["location"]
            file.touch()
            element = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
            if element != (np.uint8 if initializers.quantized(tensor) == 1 else np.float32):
                raise ValueError(f"'{tensor.name}' has elements of type {element}; f32, or codes in u8, can be filled")
            offset, shape = int(place.get("offset", 0)), tuple(tensor.dims)
            target = np.memmap(file, element, "r+", offset, shape)
            self.fill(initializers, tensor, target)
            target.flush()
        notes = {"license": "Gemma Terms of Use"}
        if any(map(initializers.quantized, external)):
            notes["quantization"] = f"{BITS} bits, blocks of {BLOCK}, symmetric, rounded to nearest by fill.py"
        for key, value in notes.items():
            model.metadata_props.add(key=key, value=value)
        onnx.save(model, folder / "model.onnx")
        return len(external)


def fill(source, output, graphs):
    """Fills `graphs`, each to a folder of `output` that appears only when it is complete."""
    output.mkdir(parents=True, exist_ok=True)
    reader = GGUFReader(str(source))
    filler = Filler(reader)
    write_tokenizer(reader, output / "tokenizer.json")
    terms = [name for name in TERMS if (source.parent / name).exists()]
    for name in terms:
        shutil.copyfile(source.parent / name, output / name)
    for graph in graphs:
        work, folder = output / f".{graph.stem}-{os.getpid()}", output / graph.stem
        work.mkdir()
        try:
            try:
                count = filler.fill_graph(graph, work)
            except (ValueError, DecodeError) as error:
                raise ValueError(f"{graph}: {error}") from error
            for name in ("tokenizer.json", *terms):
                (work / name).symlink_to(Path("..") / name)
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(work, folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        print(f"wrote {folder / 'model.onnx'}: {count} initializers filled", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], epilog="The filled graphs are under the Gemma Terms of Use."
    )
    parser.add_argument("gguf", type=Path, help="a Gemma 3 text model")
    parser.add_argument("output", type=Path, help="folder for a folder per graph")
    parser.add_argument("graphs", type=Path, nargs="+", metavar="graph", help="an ONNX file without its external data")
    options = parser.parse_args()
    try:
        fill(options.gguf, options.output, options.graphs)
    except (OSError, ValueError) as error:
        sys.exit(f"fill.py: {error}")


if __name__ == "__main__":
    main()
