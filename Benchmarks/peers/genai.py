"""onnxruntime-genai on what its own model builder makes of a checkpoint: int8 weights in blocks of 32."""

import json

import measure
import numpy as np
import onnxruntime_genai as genai


class Engine(measure.Engine):
    """Reads a folder that `export` made."""

    version = f"onnxruntime-genai {genai.__version__}"

    def __init__(self, path, threads):
        config = genai.Config(path)
        config.overlay(json.dumps({"model": {"decoder": {"session_options": {"intra_op_num_threads": threads}}}}))
        self.model = genai.Model(config)
        self.reset()

    def reset(self):
        settings = genai.GeneratorParams(self.model)
        settings.set_search_options(max_length=2048, do_sample=False)
        self.generator = genai.Generator(self.model, settings)

    def feed(self, ids):
        self.generator.append_tokens(np.array(ids, np.int32))

    def likeliest(self):
        return int(self.generator.get_logits().reshape(-1, self.generator.get_logits().shape[-1])[-1].argmax())

    def scores(self, ids):
        self.feed(ids)
        return self.generator.get_output("logits")[0]

    def decode(self, count):
        """Its own greedy loop, which keeps the token inside."""
        self.reset()
        self.feed([1])
        for _ in range(4):
            self.generator.generate_next_token()
        return measure.seconds(lambda: [self.generator.generate_next_token() for _ in range(count)])

    @staticmethod
    def export(checkpoint, output):
        from onnxruntime_genai.models import builder

        made = builder.Gemma3Model.__init__

        def with_flat_rotary(self, config, *arguments, **options):
            # The builder of 0.18 reads Gemma's two rotary bases where transformers 4 had them.
            bases = config.rope_parameters
            config.rope_theta = bases["full_attention"]["rope_theta"]
            config.rope_local_base_freq = bases["sliding_attention"]["rope_theta"]
            config.rope_parameters = {"rope_type": "default", "rope_theta": config.rope_theta}
            made(self, config, *arguments, **options)

        builder.Gemma3Model.__init__ = with_flat_rotary
        place = (None, checkpoint, output, "int8", "cpu", output + ".cache")
        builder.create_model(*place, **builder.parse_extra_options(*place, []))


if __name__ == "__main__":
    measure.main(Engine)
