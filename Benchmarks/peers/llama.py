"""llama.cpp through llama-cpp-python, which PyPI has as source: it is compiled for the machine at hand."""

import ctypes
import os

import llama_cpp as llama
import measure
import numpy as np


class Engine(measure.Engine):
    """Reads GGUF."""

    version = f"llama.cpp (llama-cpp-python {llama.__version__})"
    note = " ".join(llama.llama_print_system_info().decode().split())

    def __init__(self, path, threads):
        # What it reports while it loads goes nowhere.
        self.silence = llama.llama_log_callback(lambda level, text, data: None)
        llama.llama_log_set(self.silence, None)
        llama.llama_backend_init()
        self.model = llama.llama_model_load_from_file(os.fsencode(path), llama.llama_model_default_params())
        if not self.model:
            raise OSError(f"llama.cpp cannot load '{path}'")
        settings = llama.llama_context_default_params()
        settings.n_ctx, settings.n_batch, settings.n_ubatch = 2048, 512, 512
        settings.n_threads = settings.n_threads_batch = threads
        self.context = llama.llama_init_from_model(self.model, settings)
        self.vocabulary = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.model))
        self.reset()

    def reset(self):
        llama.llama_memory_clear(llama.llama_get_memory(self.context), True)
        self.length = 0

    def feed(self, ids):
        self.run(ids, False)

    def run(self, ids, all_logits):
        batch = llama.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for index, token in enumerate(ids):
            batch.token[index] = token
            batch.pos[index] = self.length + index
            batch.n_seq_id[index] = 1
            batch.seq_id[index][0] = 0
            batch.logits[index] = all_logits or index == len(ids) - 1
        status = llama.llama_decode(self.context, batch)
        llama.llama_batch_free(batch)
        if status:
            raise RuntimeError(f"llama_decode returned {status}")
        self.length += len(ids)

    def row(self, index):
        values = llama.llama_get_logits_ith(self.context, index)
        return np.ctypeslib.as_array(ctypes.cast(values, ctypes.POINTER(ctypes.c_float)), (self.vocabulary,))

    def likeliest(self):
        return int(self.row(-1).argmax())

    def scores(self, ids):
        self.run(ids, True)
        return np.stack([self.row(index) for index in range(len(ids))])


if __name__ == "__main__":
    measure.main(Engine)
