"""Serves a model with llama.cpp's own server on the loopback interface, until whoever started it is gone.

  serve.py MODEL.gguf PORT_FILE [--context TOKENS] [--slots N] [--threads N] [--port N]

The slots share the tokens of context. The address is written to PORT_FILE when the model is loaded."""

import argparse
import os
import pathlib
import time

import xllamacpp

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("port_file", type=pathlib.Path)
parser.add_argument("--context", type=int, default=8192)
parser.add_argument("--slots", type=int, default=4)
# More threads than half of the processors wait for each other when others compute, too.
parser.add_argument("--threads", type=int, default=max(1, (os.cpu_count() or 2) // 2))
parser.add_argument("--port", type=int, default=0)  # 0: any that is free
options = parser.parse_args()

params = xllamacpp.CommonParams()
params.model.path = options.model
params.n_parallel = options.slots
params.n_ctx = options.context
params.cpuparams.n_threads = options.threads
params.port = options.port
parent = os.getppid()
server = xllamacpp.Server(params)  # returns when the model is loaded
whole = options.port_file.with_suffix(".new")
whole.write_text(server.listening_address)
whole.rename(options.port_file)
# Whoever started it may be gone: nobody is to find it running for ever.
while os.getppid() == parent:
    time.sleep(0.5)
os._exit(0)
