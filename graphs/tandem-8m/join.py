"""Join a large model and the small one that reads its hidden states in one ONNX graph.

usage: join.py LARGE.onnx SMALL.onnx JOINED.onnx

Outputs of the large model that are inputs of the small one become edges, and positions of finished tokens are those that
the large model is given. All other names of the small model begin with "small.": small.input_ids, small.logits, ...
"""

import sys

import onnx
from onnx import compose


def rename_symbols(graph, names):
    for value in [*graph.input, *graph.output, *graph.value_info]:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in names:
                dim.dim_param = names[dim.dim_param]


def join(large, small):
    taps = [value.name for value in large.graph.output if value.name in {v.name for v in small.graph.input}]
    if not taps:
        sys.exit("join.py: no input of the small model is an output of the large one")
    finished = [v.name for v in small.graph.input if v.name.endswith("tandem_position_ids")]
    rename_symbols(
        small.graph,
        {"sequence": "draft_sequence", "past_sequence": "small_past_sequence", "total_sequence": "small_total_sequence",
         "tandem_sequence": "sequence"},
    )
    joined = compose.merge_models(
        large,
        compose.add_prefix(small, "small."),
        io_map=[(tap, f"small.{tap}") for tap in taps],
        outputs=[v.name for v in large.graph.output if v.name not in taps]
        + [f"small.{v.name}" for v in small.graph.output],
    )
    for name in finished:
        for node in joined.graph.node:
            for place, operand in enumerate(node.input):
                if operand == f"small.{name}":
                    node.input[place] = "position_ids"
        kept = [v for v in joined.graph.input if v.name != f"small.{name}"]
        del joined.graph.input[:]
        joined.graph.input.extend(kept)
    return joined


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    large, small = (onnx.load(path) for path in sys.argv[1:3])
    joined = join(large, small)
    onnx.checker.check_model(joined, full_check=True)
    onnx.save(joined, sys.argv[3])


if __name__ == "__main__":
    main()
