"""OpenVINO GenAI on what optimum-intel makes of a checkpoint: int8 weights, a scale per row."""

import subprocess
import sys
from pathlib import Path

import measure
import numpy as np
import openvino
import openvino_genai as genai


class Engine(measure.Engine):
    """Reads a folder that `export` made. Times are those that its pipeline reports."""

    version = f"OpenVINO GenAI {genai.__version__}"

    def __init__(self, path, threads):
        self.path, self.threads = path, threads
        self.pipeline = genai.LLMPipeline(path, "CPU", INFERENCE_NUM_THREADS=threads)

    def generate(self, ids, count):
        """What the pipeline reports of generating `count` tokens."""
        settings = genai.GenerationConfig(max_new_tokens=count, ignore_eos=True, do_sample=False)
        tokens = openvino.Tensor(np.array([ids], np.int64))
        mask = openvino.Tensor(np.ones((1, len(ids)), np.int64))
        return self.pipeline.generate(genai.TokenizedInputs(tokens, mask), settings).perf_metrics

    def prefill(self, ids):
        return self.generate(ids, 1).get_ttft().mean / 1000

    def decode(self, count):
        return self.generate([1], count + 1).get_tpot().mean / 1000 * count

    # Logits come from the same model without the pipeline, which keeps them to itself.

    def reset(self):
        if self.pipeline:
            self.pipeline = None
            core = openvino.Core()
            model = core.compile_model(
                str(Path(self.path) / "openvino_model.xml"), "CPU", {"INFERENCE_NUM_THREADS": self.threads}
            )
            self.inputs = {name for port in model.inputs for name in port.get_names()}
            self.request = model.create_infer_request()
        self.request.reset_state()
        self.length = 0

    def scores(self, ids):
        total = self.length + len(ids)
        feeds = {
            "input_ids": np.array([ids], np.int64),
            "attention_mask": np.ones((1, total), np.int64),
            "position_ids": np.arange(self.length, total, dtype=np.int64)[None],
            "beam_idx": np.zeros(1, np.int32),
        }
        self.request.infer({name: value for name, value in feeds.items() if name in self.inputs})
        self.length = total
        return self.request.get_tensor("logits").data[0]

    @staticmethod
    def export(checkpoint, output):
        command = [Path(sys.executable).with_name("optimum-cli"), "export", "openvino", "--model", checkpoint]
        command += ["--task", "text-generation-with-past", "--weight-format", "int8", output]
        subprocess.run(command, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    measure.main(Engine)
