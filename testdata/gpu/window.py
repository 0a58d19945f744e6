"""Runs a loop in a window in which PyTorch's own profiler counts the CUDA calls."""

import argparse
import json
import os
import time

import torch
from torch.profiler import ProfilerActivity, profile

# Without calls before and after the window, and longer than the Collector's
# collection interval: so one of its points is before the first call and one is
# after the last.
QUIET_SECONDS = 4
WARM_UP_STEPS = 10


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--matmul", action="store_true", help="use cuBLAS, which brings a CUDA runtime of its own")
    parser.add_argument("--out", required=True, help="file for what the profiler counted")
    return parser.parse_args()


def run(step, options):
    """Calls step() options.steps times in the window and writes the profiler's counts."""
    for _ in range(WARM_UP_STEPS):
        step()
    with _profiler():  # the first one sets itself up
        step()
    torch.cuda.synchronize()
    time.sleep(QUIET_SECONDS)
    begin = time.time_ns()
    with _profiler() as profiler:
        for _ in range(options.steps):
            step()
        torch.cuda.synchronize()
    end = time.time_ns()
    time.sleep(QUIET_SECONDS)
    result = {
        "pid": os.getpid(),
        "service": os.environ.get("OTEL_SERVICE_NAME", ""),
        "begin_unix_ns": begin,
        "end_unix_ns": end,
        "steps": options.steps,
        "own_runtimes": options.matmul,
        "calls": _calls(profiler),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "device": torch.cuda.get_device_name(),
    }
    with open(options.out, "w") as file:
        json.dump(result, file, indent=1, sort_keys=True)


def _profiler():
    return profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA])


def _calls(profiler):
    """The number of calls of each CUDA function, of the runtime and of the driver."""
    return {event.key: event.count for event in profiler.key_averages() if event.key.startswith("cu")}
