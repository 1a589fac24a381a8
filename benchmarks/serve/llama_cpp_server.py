"""llama.cpp's own server, which xllamacpp brings, until it is terminated."""

import argparse
import signal

import xllamacpp

LENGTH = 512  # tokens of a slot


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.serve.llama_cpp_server")
    parser.add_argument("--model", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--slots", type=int, required=True)
    options = parser.parse_args()
    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.hostnames = ["127.0.0.1"]
    params.port = options.port
    params.n_parallel = options.slots
    params.n_ctx = LENGTH * options.slots
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.cont_batching = True
    params.cache_prompt = False
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
