"""Runs llama.cpp's HTTP server out of the xllamacpp wheel, for as long as the parent holds our standard input open.

Standard input: one line of JSON, the options below; then nothing. End of file means that the parent is gone, however it
went, and ends this process at once. Standard output: one line of JSON, {"address": "http://127.0.0.1:PORT"}.
llama.cpp's log goes to standard error.

Options: model (path), port, api_key, slots, context (tokens per slot), threads, gpu_layers, loras (paths, applied only when
a request asks), embedding (bool), batch (tokens of one micro-batch; 0 leaves the default).
"""

import json
import os
import sys
import threading


def configure(xllamacpp, options):
    """CommonParams for the options. Every slot has a context of its own."""
    params = xllamacpp.CommonParams()
    params.model.path = options["model"]
    params.hostnames = ["127.0.0.1"]
    params.port = options["port"]
    params.api_keys = [options["api_key"]]
    params.ui = False
    params.endpoint_slots = True
    params.n_parallel = options["slots"]
    params.n_ctx = options["context"] * options["slots"]
    params.cpuparams.n_threads = options["threads"]
    params.cpuparams_batch.n_threads = options["threads"]
    params.cache_ram_mib = 0
    params.fit_params = False
    if options["gpu_layers"]:
        params.n_gpu_layers = options["gpu_layers"]
    if options["batch"]:
        params.n_batch = params.n_ubatch = options["batch"]
    if options["embedding"]:
        params.embedding = True
    adapters = []
    for path in options["loras"]:
        adapter = xllamacpp.CommonAdapterLoraInfo()
        adapter.path = path
        adapter.scale = 1.0
        adapters.append(adapter)
    if adapters:
        params.lora_adapters = adapters
        params.lora_init_without_apply = True
    return params


def read_line():
    """The first line, without a buffer that would swallow what comes after it."""
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(0, 65536)
        if not part:
            os._exit(0)
        line += part
    return line


def end_with_parent():
    while os.read(0, 4096):
        pass
    os._exit(0)  # not the destructor: it would wait for the requests in flight


def main():
    options = json.loads(read_line())
    import xllamacpp

    threading.Thread(target=end_with_parent, daemon=True).start()
    server = xllamacpp.Server(configure(xllamacpp, options))
    sys.stdout.write(json.dumps({"address": server.listening_address}) + "\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
