"""Serves a model with llama.cpp's own server on the loopback interface, until it is killed.

  serve.py MODEL.gguf PORT_FILE [CONTEXT]

4 slots share CONTEXT tokens. The port is written to PORT_FILE when the model is loaded."""

import os
import pathlib
import sys
import time

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_parallel = 4
params.n_ctx = int(sys.argv[3]) if len(sys.argv) > 3 else 8192
params.cpuparams.n_threads = max(1, (os.cpu_count() or 2) // 2)  # more wait for each other when others compute, too
params.port = 0  # any that is free
server = xllamacpp.Server(params)  # returns when the model is loaded
path = pathlib.Path(sys.argv[2])
whole = path.with_suffix(".new")
whole.write_text(server.listening_address)
whole.rename(path)
# Whoever started it may be gone: nobody is to find it running for ever.
parent = os.getppid()
while os.getppid() == parent:
    time.sleep(0.5)
os._exit(0)
