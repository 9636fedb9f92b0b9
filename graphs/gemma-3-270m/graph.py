"""Builds an ONNX graph: nodes in order, small constants inside the file, weights streamed to a data file beside it."""

from contextlib import contextmanager

import numpy as np
from onnx import TensorProto, helper, numpy_helper

# Offsets in the data file are multiples of this, so that a reader can map every weight in place.
ALIGNMENT = 4096

ELEMENT_TYPES = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int64): TensorProto.INT64}


class Graph:
    """A graph under construction. Values are named by their scope and label: `layers.3/attention/query`."""

    def __init__(self, name, opset, data):
        """Starts an empty graph whose weights go to `data`, a binary file open for writing."""
        self.name = name
        self.opset = opset
        self.data = data
        self.nodes, self.initializers, self.inputs, self.outputs = [], [], [], []
        self.names = set()
        self.scopes = []

    @contextmanager
    def scope(self, name):
        """Prefixes the names of all that is added inside with `name/`."""
        self.scopes.append(name)
        yield
        self.scopes.pop()

    def unique(self, label):
        """Returns `label` inside the current scope, with a number behind it when it is taken."""
        base = name = "/".join(self.scopes + [label])
        number = 1
        while name in self.names:
            number += 1
            name = f"{base}_{number}"
        self.names.add(name)
        return name

    def add(self, operator, *inputs, label=None, outputs=None, **attributes):
        """Adds a node and returns the name of its only output, or the list `outputs` when names are given."""
        name = self.unique(label or operator.lower())
        names = outputs or [name]
        self.nodes.append(helper.make_node(operator, list(inputs), names, name=name, **attributes))
        return outputs or name

    def constant(self, name, value):
        """Stores a small array inside the graph, once for each name, and returns the name."""
        if name not in self.names:
            self.names.add(name)
            self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def floats(self, name, *values):
        """Stores f32 numbers: a scalar when there is one value, else a vector."""
        return self.constant(name, np.array(values[0] if len(values) == 1 else values, np.float32))

    def integers(self, *values):
        """Stores an i64 vector under a name made of its values."""
        return self.constant("i64_" + "_".join(map(str, values)), np.array(values, np.int64))

    def weight(self, name, shape, chunks):
        """Appends an f32 array to the data file and returns its name.

        chunks: arrays that make up the weight in row-major order; only one is held in memory at a time.
        """
        self.data.write(bytes(-self.data.tell() % ALIGNMENT))
        offset = self.data.tell()
        for chunk in chunks:
            self.data.write(np.ascontiguousarray(chunk, dtype="<f4").data)
        length = self.data.tell() - offset
        if length != 4 * int(np.prod(shape)):
            raise ValueError(
                f"weight '{name}' has {length} bytes; its shape {list(shape)} needs {4 * np.prod(shape)}"
            )
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "model.onnx.data"), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))
        self.names.add(name)
        self.initializers.append(tensor)
        return name

    def input(self, name, element, shape):
        """Declares a graph input; a string in `shape` is a dimension known only at run time."""
        self.inputs.append(helper.make_tensor_value_info(name, ELEMENT_TYPES[np.dtype(element)], shape))
        return name

    def output(self, name, element, shape):
        """Declares a graph output; some node must have that output name."""
        self.outputs.append(helper.make_tensor_value_info(name, ELEMENT_TYPES[np.dtype(element)], shape))

    def model(self, metadata):
        """Returns the finished model, ready to be saved."""
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, self.initializers)
        opsets = [helper.make_opsetid("", self.opset)]
        # The oldest file version that may hold this opset: more readers accept it.
        version = helper.find_min_ir_version_for(opsets)
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=version, producer_name="tandem graphs/gemma-3-270m/export.py"
        )
        helper.set_model_props(model, metadata)
        return model
