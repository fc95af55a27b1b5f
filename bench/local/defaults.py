"""llama.cpp's server as it comes: its defaults, four slots that share the model's context. Usage: defaults.py MODEL.gguf.

Prints its address and ends with its standard input.
"""

import os
import sys

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_parallel = 4  # what llama-server chooses when it is not told; so is the shared cache
params.kv_unified = True
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
while os.read(0, 4096):
    pass
os._exit(0)
