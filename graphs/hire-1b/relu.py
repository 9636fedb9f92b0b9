#!/usr/bin/env python3
"""Writes a decoder with ReLU and no groups, whose units are alike as far as they are made to be: 0.2 GB with random weights.

    python relu.py OUTPUT_FOLDER

To see when it pays to put units that are active together into groups (`tandem convert --ffn hire --why-not
hire-feed-forward` says it layer by layer). Each of 5 layers has 10240 units, of which relu(up(y) + bias) leaves about 5 % active:

    x += down(relu(up(rms_norm(x)) + bias))

Eight units anywhere in a layer share a direction: none of their variance in the first layer, then 80, 95, 98 and 99 %. All
else is that of `export.py`, but that tokens are drawn almost alike and branches add little, so hidden states are as many as tokens.
"""

import importlib.util
from pathlib import Path

import numpy as np

specification = importlib.util.spec_from_file_location("hire_1b", Path(__file__).with_name("export.py"))
hire_1b = importlib.util.module_from_spec(specification)
specification.loader.exec_module(hire_1b)


class ReluDecoder(hire_1b.GroupSparseDecoder):
    name = "hire-relu"
    layers, width, hidden, vocabulary = 5, 512, 10240, 4096
    heads, key_heads, head_size = 8, 1, 64
    shares = [0, 0.8, 0.95, 0.98, 0.99]
    logits, branch = 0.25, 0.02
    # Products have a standard deviation of 1: about 5 % are above this.
    threshold = 1.645

    def matrix(self, label, rows, columns):
        if label == "up":
            self.shared = self.shares[self.blocks]
            self.blocks += 1
        return super().matrix(label, rows, columns)

    def weight(self, label, shape, numbers):
        if label in ("down", "output"):
            numbers = numbers * np.float32(self.branch)
        if label == "up":
            numbers = numbers[:, self.random.permutation(numbers.shape[1])]
        return super().weight(label, shape, numbers)

    def feed_forward(self, x):
        """down(relu(up(x) + bias))."""
        graph = self.graph
        bias = graph.constant(".".join([*graph.scopes, "bias"]), np.full(self.hidden, -self.threshold, np.float32))
        units = graph.add("Add", self.linear(x, self.width, self.hidden, "up"), bias, label="shifted")
        return self.linear(graph.add("Relu", units), self.hidden, self.width, "down")


if __name__ == "__main__":
    hire_1b.write(ReluDecoder, __doc__.split("\n")[0])
