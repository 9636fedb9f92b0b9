#!/usr/bin/env python3
"""Checks `fill.py` on small graphs: python test_fill.py (needs onnx, gguf, numpy; no model)."""

import unittest
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fill import Initializers, expect, quantize, rotary_table, tensors_named

ZOO = Path(__file__).parents[2] / "Tests/Fixtures/zoo"


def arrays(path):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}


def graph(initializers, nodes):
    """A graph of external f32 initializers {name: shape} and nodes (operator, name, inputs)."""
    tensors = []
    for name, shape in initializers.items():
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        tensors.append(tensor)
    made = [helper.make_node(operator, inputs, [f"{name}.out"], name=name) for operator, name, inputs in nodes]
    return helper.make_graph(made, "graph", [], [], tensors)


class Quantization(unittest.TestCase):
    def test_equals_what_the_exporter_wrote(self):
        """genai wrote the same small models in f32 and in 4 bits."""
        matrices = 0
        for quantized in sorted(ZOO.glob("*/genai4.onnx")):
            if quantized.parent.name == "gemma-3-270m":
                continue
            exact = arrays(quantized.with_name("genai32.onnx"))
            rounded = arrays(quantized)
            for name in (name for name in rounded if name.endswith("_Q4")):
                base = name.removesuffix("_Q4")
                if base not in exact:
                    continue
                codes, scales = quantize(np.ascontiguousarray(exact[base].T))
                np.testing.assert_array_equal(codes, rounded[name], err_msg=f"{quantized} {name}")
                np.testing.assert_array_equal(scales, rounded[base + "_scales"], err_msg=f"{quantized} {name}")
                matrices += 1
        self.assertGreater(matrices, 50)


class Rotary(unittest.TestCase):
    def test_equals_what_the_exporters_wrote(self):
        for exporter, name, function, base in (
            ("dynamo20", "m.model.rotary_emb.full_attention_inv_freq", None, 1e6),
            ("dynamo20", "m.model.rotary_emb.sliding_attention_inv_freq", None, 1e4),
            ("genai32", "cos_cache_global", np.cos, 1e6),
            ("genai32", "sin_cache_local", np.sin, 1e4),
            ("mobius", "model.rotary_emb.sin_cache", np.sin, 1e6),
            ("mobius", "model.rotary_emb_local.cos_cache", np.cos, 1e4),
        ):
            written = arrays(ZOO / f"gemma3_text/{exporter}.onnx")[name]
            computed = rotary_table(function, base, written.shape)
            # PyTorch's cosine and NumPy's may round differently.
            np.testing.assert_allclose(computed, written, rtol=0, atol=0 if function is None else 1.2e-7)


class Identification(unittest.TestCase):
    def test_names(self):
        for name, tensors in {
            "/model/layers.3/self_attn/o_proj/MatMul": ["blk.3.attn_output.weight"],
            "model.layers.0.attn.qkv_proj.MatMul.weight_Q4": [f"blk.0.attn_{part}.weight" for part in "qkv"],
            "model.layers.18.final_norm_layernorm.weight": ["output_norm.weight"],
            "/model/norm/Mul_1": ["output_norm.weight"],
            "m.lm_head.weight": ["token_embd.weight"],
            "val_204": None,
            "layers.x": None,
        }.items():
            self.assertEqual(tensors_named(name), tensors, name)

    def test_positions(self):
        """Numbered names are told by the order of their readers, when all of a kind are there."""
        names = [f"val_{number}" for number in range(7)]
        nodes = [("MatMul", f"node_{name}", ["x", name]) for name in reversed(names)]
        found = Initializers(graph({name: [2, 3] for name in names}, nodes), layers=1).by_position
        self.assertEqual(found["val_6"], ["blk.0.attn_q.weight"])
        self.assertEqual(found["val_0"], ["blk.0.ffn_down.weight"])
        with self.assertRaisesRegex(ValueError, "7 initializers with 2 dimensions have no telling name.* 14 can"):
            Initializers(graph({name: [2, 3] for name in names}, nodes), layers=2)

    def test_contradicting_names_are_refused(self):
        nodes = [("MatMul", "/model/layers.0/mlp/up_proj/MatMul", ["x", "model.layers.0.mlp.gate_proj.weight"])]
        with self.assertRaisesRegex(ValueError, "contradicting names"):
            Initializers(graph({"model.layers.0.mlp.gate_proj.weight": [2, 3]}, nodes), layers=1)

    def test_unknown_weights_are_refused(self):
        whole = Initializers(graph({"table": [2, 3, 4]}, [("Gather", "lookup", ["table", "x"])]), layers=1)
        with self.assertRaisesRegex(ValueError, "cannot tell which weight this is: table, lookup"):
            whole.role(whole.all["table"])

    def test_one_added_at_run_time(self):
        norm = "model.layers.0.input_layernorm.weight"
        made = graph({norm: [4]}, [("Add", "plus", [norm, "one"])])
        made.initializer.append(numpy_helper.from_array(np.float32(1), "one"))
        whole = Initializers(made, layers=1)
        self.assertTrue(whole.adds_one(whole.all[norm]))
        made = graph({norm: [4]}, [("Mul", "times", [norm, "x"])])
        whole = Initializers(made, layers=1)
        self.assertFalse(whole.adds_one(whole.all[norm]))


class Shapes(unittest.TestCase):
    def test_another_shape_is_refused(self):
        tensor = TensorProto(name="w", dims=[3, 5])
        with self.assertRaisesRegex(ValueError, r"'w' is \[3, 5\]; the GGUF file makes it \[3, 4\]"):
            expect(tensor, [3, 4])


if __name__ == "__main__":
    unittest.main()
