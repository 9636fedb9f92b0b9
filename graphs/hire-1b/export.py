#!/usr/bin/env python3
"""Writes a decoder of the shape that HiRE measures, with random weights: `model.onnx` and 5.2 GB of `model.onnx.data`.

    python export.py OUTPUT_FOLDER

The shape is read off the paper's figures (arXiv 2402.09360, sections 3 and 4): 1.04 billion parameters in 26 layers, an FFN
of 18432 units whose odd layers (the 1st, 3rd, ...) keep the 128 best of 2304 groups of 8, 5.55 %, and a head over 256000
tokens that takes 19 % of the bytes:

    x = embedding[input_ids]
    26 times:  x += attention(rms_norm(x))               8 heads over 1, rotary base 10000
               x += down(keep(relu(up(y))^2))            with y = rms_norm(x); keep zeroes all but the best groups
    logits = rms_norm(x) embedding^T

Weights are random, but not without structure. The units of a group look for one direction, so a group is active as a whole.
What writes to the residual stream writes variance 1/i into direction i of a random basis, as trained models do: low-rank
predictors then find about what they find in `graphs/tandem-8m`, 77 % of the active groups among twice as many with an eighth
of the directions, where 4 bits of each weight find all.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "llama-1b"))
from export import Decoder, write  # noqa: E402


class GroupSparseDecoder(Decoder):
    name = "hire-1b"
    layers, width, hidden, vocabulary = 26, 1024, 18432, 256000
    heads, key_heads, head_size = 8, 1, 128
    rotary_base, context = 10000.0, 2048
    group, active = 8, 128
    # The part of a unit's variance that its group shares, and the standard deviation of logits.
    shared, logits = 0.8, 2.5

    def __init__(self, graph, seed):
        super().__init__(graph, seed)
        self.blocks = 0
        basis, _ = np.linalg.qr(self.random.standard_normal((self.width, self.width)))
        spread = np.arange(1, self.width + 1) ** -0.5
        spread *= (self.width / (spread**2).sum()) ** 0.5
        self.stream = (spread[:, None] * basis.T).astype(np.float32)

    def matrix(self, label, rows, columns):
        """A random [rows, columns]: into the stream, out of the units' groups, or plain."""
        if label == "embedding":
            numbers = self.normal(rows, columns) @ self.stream * np.float32(self.logits * columns**-0.5)
        elif label == "up":
            groups = columns // self.group
            directions = np.repeat(self.normal(groups, rows), self.group, axis=0)
            numbers = self.shared**0.5 * directions + (1 - self.shared) ** 0.5 * self.normal(columns, rows)
            numbers = numbers.T * np.float32(rows**-0.5)
        elif label in ("down", "output"):
            numbers = self.normal(rows, columns) @ self.stream * np.float32(rows**-0.5)
        else:
            return super().matrix(label, rows, columns)
        return self.weight(label, [rows, columns], numbers)

    def weight(self, label, shape, numbers):
        return self.graph.weight(".".join([*self.graph.scopes, label, "weight"]), shape, [numbers])

    def normal(self, rows, columns):
        return self.random.standard_normal((rows, columns), np.float32)

    def feed_forward(self, x):
        """down(keep(relu(up(x))^2)); in even layers nothing is left out."""
        graph = self.graph
        units = graph.add("Relu", self.linear(x, self.width, self.hidden, "up"))
        units = graph.add("Mul", units, units, label="squared")
        self.blocks += 1
        if self.blocks % 2:
            units = self.keep(units)
        return self.linear(units, self.hidden, self.width, "down")

    def keep(self, units):
        """Zeroes the groups whose sums are smaller than the smallest of the best."""
        graph = self.graph
        grouped = graph.add("Reshape", units, graph.integers(0, 0, self.hidden // self.group, self.group), label="grouped")
        sums = graph.add("ReduceSum", grouped, graph.integers(-1), keepdims=0, label="sums")
        best, _ = graph.add(
            "TopK", sums, graph.integers(self.active), axis=-1, outputs=[graph.unique("best"), graph.unique("best_places")]
        )
        last = graph.add("Slice", best, graph.integers(-1), graph.integers(2**63 - 1), graph.integers(-1), label="last_best")
        mask = graph.add("Cast", graph.add("GreaterOrEqual", sums, last), to=1)
        kept = graph.add("Mul", grouped, graph.add("Unsqueeze", mask, graph.integers(-1)), label="kept")
        return graph.add("Reshape", kept, graph.integers(0, 0, self.hidden), label="kept_units")


if __name__ == "__main__":
    write(GroupSparseDecoder, __doc__.split("\n")[0])
