"""The embedded llama.cpp server as a process of its own.

Started by `shaping.llm.server`; imports nothing of ours.

Reads one line of JSON from its standard input (model_path, threads, context, key), loads the model,
writes one line of JSON with the address it listens on (loopback, a free port), and serves until its
standard input closes: when whoever started it dies, however it dies, it goes too.
"""

import json
import os
import sys


def main() -> None:
    settings = json.loads(sys.stdin.readline())
    os.nice(settings["niceness"])  # training comes first
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = settings["model_path"]
    parameters.n_ctx = settings["context"]
    parameters.n_parallel = 1  # one slot: the examples that all questions begin with stay evaluated
    parameters.cpuparams.n_threads = settings["threads"]
    parameters.cpuparams_batch.n_threads = settings["threads"]
    parameters.n_gpu_layers = settings["gpu_layers"]
    if not settings["gpu_layers"]:
        # On a CPU, flash attention computes long and short runs of tokens in two ways that round
        # differently: a question's score would depend on what the server had evaluated before.
        parameters.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    parameters.warmup = False
    parameters.ui = False
    parameters.port = 0
    parameters.api_keys = [settings["key"]]
    server = xllamacpp.Server(parameters)
    print(json.dumps({"address": server.listening_address}), flush=True)
    sys.stdin.read()
    os._exit(0)  # nothing to save; an orderly end waits for requests in flight


if __name__ == "__main__":
    main()
