"""The four operators that depend on the opset, written twice: as single nodes and as primitives.

`StandardOperators` (opset 23) uses RMSNormalization, RotaryEmbedding, Attention and Gelu. `PrimitiveOperators` (opset 18)
spells the same formulas out; they are also the definition to check the single nodes against.
"""

import numpy as np


class StandardOperators:
    """Opset 23: one node each."""

    def __init__(self, graph):
        self.graph = graph

    def rms_norm(self, x, weight, epsilon, label):
        """x / sqrt(mean(x^2) + epsilon) * weight over the last axis."""
        return self.graph.add("RMSNormalization", x, weight, axis=-1, epsilon=epsilon, label=label)

    def rotary(self, x, cosine, sine, label):
        """Turns the pairs (x[i], x[i + half]) of x[B, heads, S, 2 * half] by angles [B, S, half]."""
        return self.graph.add("RotaryEmbedding", x, cosine, sine, interleaved=0, label=label)

    def attention(self, query, key, value, mask, past, present, sizes):
        """softmax(query key^T / sqrt(head size), where mask) value, over cache and new keys.

        query[B, heads, S, head size]; key, value[B, key heads, S, head size]; mask bool[B, 1, S, T]; past and present
        name the cache [B, key heads, P or T, head size] for keys and for values. Returns [B, heads, S, head size].
        """
        mixed = self.graph.unique("mixed")
        self.graph.add(
            "Attention",
            query,
            key,
            value,
            mask,
            *past,
            scale=sizes.head_size**-0.5,
            outputs=[mixed, *present],
            label="scaled_dot_product",
        )
        return mixed

    def gelu(self, x, label):
        """0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))."""
        return self.graph.add("Gelu", x, approximate="tanh", label=label)


class PrimitiveOperators(StandardOperators):
    """Opset 18: the same formulas in elementary nodes. Shapes are those of `StandardOperators`."""

    def rms_norm(self, x, weight, epsilon, label):
        graph = self.graph
        with graph.scope(label):
            square = graph.add("Mul", x, x, label="square")
            mean = graph.add("ReduceMean", square, graph.integers(-1), keepdims=1, label="mean")
            root = graph.add("Sqrt", graph.add("Add", mean, graph.floats("epsilon", epsilon)))
            return graph.add("Mul", graph.add("Div", x, root), weight)

    def rotary(self, x, cosine, sine, label):
        graph = self.graph
        with graph.scope(label):
            cosine, sine = (graph.add("Unsqueeze", table, graph.integers(1)) for table in (cosine, sine))
            low, high = graph.unique("low"), graph.unique("high")
            graph.add("Split", x, axis=-1, num_outputs=2, outputs=[low, high], label="halves")
            first = graph.add("Sub", graph.add("Mul", low, cosine), graph.add("Mul", high, sine))
            second = graph.add("Add", graph.add("Mul", high, cosine), graph.add("Mul", low, sine))
            return graph.add("Concat", first, second, axis=-1)

    def attention(self, query, key, value, mask, past, present, sizes):
        graph = self.graph
        keys = graph.add("Concat", past[0], key, axis=2, outputs=[present[0]], label="cache_key")[0]
        values = graph.add("Concat", past[1], value, axis=2, outputs=[present[1]], label="cache_value")[0]
        # Each group of heads gets an axis of its own, along which its keys and values broadcast.
        group = sizes.heads // sizes.key_heads
        query = graph.add("Reshape", query, graph.integers(0, sizes.key_heads, group, -1, sizes.head_size))
        keys, values, mask = (graph.add("Unsqueeze", x, graph.integers(2)) for x in (keys, values, mask))
        keys = graph.add("Transpose", keys, perm=[0, 1, 2, 4, 3])
        scores = graph.add("MatMul", query, keys, label="scores")
        scores = graph.add("Mul", scores, graph.floats("attention.scale", sizes.head_size**-0.5))
        lowest = graph.floats("attention.masked", np.finfo(np.float32).min)
        scores = graph.add("Where", mask, scores, lowest, label="masked")
        mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), values, label="mixed")
        return graph.add("Reshape", mixed, graph.integers(0, sizes.heads, -1, sizes.head_size))

    def gelu(self, x, label):
        graph = self.graph
        with graph.scope(label):
            cube = graph.add("Mul", graph.add("Mul", x, x), x, label="cube")
            inner = graph.add("Add", x, graph.add("Mul", cube, graph.floats("gelu.cubic", 0.044715)))
            inner = graph.add("Mul", inner, graph.floats("gelu.scale", np.sqrt(2 / np.pi)))
            outer = graph.add("Add", graph.add("Tanh", inner), graph.floats("gelu.one", 1))
            return graph.add("Mul", graph.add("Mul", x, graph.floats("gelu.half", 0.5)), outer)


OPERATORS = {18: PrimitiveOperators, 23: StandardOperators}
