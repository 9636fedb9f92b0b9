"""ONNX Runtime on a decoder with cache inputs (input_ids, ..., past_key_values.N.* -> logits, present.N.*).

The cache stays in its own buffers (IO binding): each step's `present` is the next one's `past`.
"""

import measure
import numpy as np
import onnxruntime as ort


class Engine(measure.Engine):
    """Reads the export that tandem compiles."""

    version = f"ONNX Runtime {ort.__version__}"

    def __init__(self, path, threads):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.inputs = {value.name: value for value in self.session.get_inputs()}
        self.past = [name for name in self.inputs if name.startswith("past_key_values.")]
        self.outputs = ["logits"] + [name.replace("past_key_values", "present") for name in self.past]
        self.binding = self.session.io_binding()
        self.reset()

    def reset(self):
        empty = lambda shape: np.zeros((1, shape[1], 0, shape[3]), np.float32)
        self.cache = [ort.OrtValue.ortvalue_from_numpy(empty(self.inputs[name].shape)) for name in self.past]
        self.length = 0

    def feed(self, ids):
        total = self.length + len(ids)
        feeds = {
            "input_ids": np.array([ids], np.int64),
            "attention_mask": np.ones((1, total), np.int64),
            "position_ids": np.arange(self.length, total, dtype=np.int64)[None],
        }
        for name, value in feeds.items():
            if name in self.inputs:
                self.binding.bind_cpu_input(name, value)
        for name, value in zip(self.past, self.cache):
            self.binding.bind_ortvalue_input(name, value)
        for name in self.outputs:
            self.binding.bind_output(name, "cpu")  # a new buffer: shapes grow with every step
        self.session.run_with_iobinding(self.binding)
        self.logits, *self.cache = self.binding.get_outputs()
        self.length = total

    def likeliest(self):
        return int(self.logits.numpy()[0, -1].argmax())

    def scores(self, ids):
        self.feed(ids)
        return self.logits.numpy()[0]


if __name__ == "__main__":
    measure.main(Engine)
