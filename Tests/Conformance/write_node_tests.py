#!/usr/bin/env python3
"""Writes the ONNX backend node tests to a folder, in a form that needs no ONNX library to read.

    python write_node_tests.py FOLDER

The tests come from the installed `onnx` package; its version is part of the result, and a folder that already holds
that version is left as it is. Layout:

    FOLDER/manifest.json
    FOLDER/test_add/model.onnx, input_0.bin, input_1.bin, output_0.bin

`manifest.json` is `{"format", "onnx_version", "cases": [...]}`. A case:

    name, model          'test_add', 'test_add/model.onnx'
    opset, opsets        of the default domain; by domain name ('' is the default domain)
    operators            [{"domain": "", "type": "Add"}]: each operator of the graph once
    inputs, outputs      the graph's values in order, see below
    rtol, atol           tolerances of the ONNX project

A value has `name` and `kind`:

    tensor     dtype, shape, file     elements in row-major order, little-endian, each in whole bytes
    tensor     dtype 'string', shape, strings
    sequence   elements               a list of values without names
    none                              an optional that is absent

Types: f32 f16 bf16 f64 f8e4m3fn f8e4m3fnuz f8e5m2 f8e5m2fnuz f8e8m0 f4e2m1 i64 i32 i16 i8 i4 i2 u64 u32 u16 u8 u4 u2
bool string. Types of less than 8 bits take one byte for each element: i4 and i2 with the sign extended, u4, u2 and
f4e2m1 in the low bits.
"""

import argparse
import json
import os
import shutil
import sys
import warnings
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

# Raised whenever the layout changes.
FORMAT = 1

TYPE_NAMES = {
    np.dtype(type_): name
    for type_, name in [
        (np.float64, "f64"),
        (np.float32, "f32"),
        (np.float16, "f16"),
        (ml_dtypes.bfloat16, "bf16"),
        (ml_dtypes.float8_e4m3fn, "f8e4m3fn"),
        (ml_dtypes.float8_e4m3fnuz, "f8e4m3fnuz"),
        (ml_dtypes.float8_e5m2, "f8e5m2"),
        (ml_dtypes.float8_e5m2fnuz, "f8e5m2fnuz"),
        (ml_dtypes.float8_e8m0fnu, "f8e8m0"),
        (ml_dtypes.float4_e2m1fn, "f4e2m1"),
        (np.int64, "i64"),
        (np.int32, "i32"),
        (np.int16, "i16"),
        (np.int8, "i8"),
        (ml_dtypes.int4, "i4"),
        (ml_dtypes.int2, "i2"),
        (np.uint64, "u64"),
        (np.uint32, "u32"),
        (np.uint16, "u16"),
        (np.uint8, "u8"),
        (ml_dtypes.uint4, "u4"),
        (ml_dtypes.uint2, "u2"),
        (np.bool_, "bool"),
    ]
}


def whole_bytes(array):
    """Returns the elements in row-major order as little-endian bytes, at least one byte for each."""
    name = TYPE_NAMES[array.dtype]
    if name in ("i4", "i2"):
        array = array.astype(np.int8)
    elif name in ("u4", "u2"):
        array = array.astype(np.uint8)
    elif name == "f4e2m1":
        array = array.view(np.uint8) & 0x0F
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    return np.ascontiguousarray(array).tobytes()


def write_value(value, root, stem):
    """Writes the tensors of `value` to files that begin with `stem` (relative to `root`). Returns its description."""
    if value is None:
        return {"kind": "none"}
    if isinstance(value, list):
        elements = [write_value(element, root, f"{stem}_{index}") for index, element in enumerate(value)]
        return {"kind": "sequence", "elements": elements}
    if isinstance(value, TensorProto):
        value = numpy_helper.to_array(value)
    array = np.asarray(value)
    description = {"kind": "tensor", "shape": list(array.shape)}
    if array.dtype.kind in "OUS":
        text = lambda item: item.decode("utf-8") if isinstance(item, bytes) else str(item)
        return description | {"dtype": "string", "strings": [text(item) for item in array.ravel()]}
    file = f"{stem}.bin"
    (root / file).write_bytes(whole_bytes(array))
    return description | {"dtype": TYPE_NAMES[array.dtype], "file": file}


def operators_of(nodes):
    """Yields (domain, type) of every node, those inside If, Loop and Scan bodies included."""
    for node in nodes:
        yield "" if node.domain == "ai.onnx" else node.domain, node.op_type
        for attribute in node.attribute:
            for graph in [attribute.g, *attribute.graphs]:
                yield from operators_of(graph.node)


def write_case(case, root):
    """Writes the folder of one test case and returns its entry for the manifest."""
    (root / case.name).mkdir()
    model = f"{case.name}/model.onnx"
    (root / model).write_bytes(case.model.SerializeToString())
    opsets = {"" if o.domain == "ai.onnx" else o.domain: o.version for o in case.model.opset_import}
    nodes = list(case.model.graph.node) + [node for function in case.model.functions for node in function.node]
    (inputs, outputs), *more = case.data_sets
    if more:
        raise ValueError(f"'{case.name}' has {1 + len(more)} data sets; one was expected")
    values = lambda declared, given, word: [
        {"name": value.name} | write_value(item, root, f"{case.name}/{word}_{index}")
        for index, (value, item) in enumerate(zip(declared, given, strict=True))
    ]
    return {
        "name": case.name,
        "model": model,
        "opset": opsets.get("", 0),
        "opsets": opsets,
        "operators": [{"domain": domain, "type": type_} for domain, type_ in sorted(set(operators_of(nodes)))],
        "inputs": values(case.model.graph.input, inputs, "input"),
        "outputs": values(case.model.graph.output, outputs, "output"),
        "rtol": case.rtol,
        "atol": case.atol,
    }


def is_current(folder):
    """Tells whether `folder` holds the tests of the installed `onnx`, complete."""
    try:
        with open(folder / "manifest.json", encoding="utf-8") as file:
            manifest = json.load(file)
    except (OSError, ValueError):
        return False
    return manifest.get("format") == FORMAT and manifest.get("onnx_version") == onnx.__version__


def write_all(folder):
    """Writes all cases beside `folder`, then puts them in its place. Returns their number."""
    from onnx.backend.test.loader import load_model_tests

    # Several tests overflow or divide by zero on purpose.
    warnings.simplefilter("ignore")
    work = folder.parent / f".{folder.name}-{os.getpid()}"
    work.mkdir(parents=True)
    try:
        cases = [write_case(case, work) for case in load_model_tests(kind="node")]
        manifest = {"format": FORMAT, "onnx_version": onnx.__version__, "cases": cases}
        (work / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return len(cases)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="replaced when it holds another version of the tests")
    options = parser.parse_args()
    folder = options.folder.absolute()
    if is_current(folder):
        return
    if folder.exists() and any(folder.iterdir()) and not (folder / "manifest.json").exists():
        sys.exit(
            f"write_node_tests.py: '{options.folder}' is not empty and holds no manifest.json; it is left alone"
        )
    count = write_all(folder)
    print(f"{count} node tests of onnx {onnx.__version__} in {options.folder}", file=sys.stderr)


if __name__ == "__main__":
    main()
