#!/usr/bin/env python3
"""compare.py METRICS RESULT...: do the Collector's call counts agree with the profiler's?

METRICS is the file exporter's output (OTLP, one JSON message per line), RESULT
what window.py wrote. Prints a table for each and exits with 1 when a count
differs by more than the tolerance.
"""

import json
import re
import sys
from collections import Counter

# The profiler begins and ends inside of the window: it makes some synchronisations and
# queries that it does not count, and may miss a call at each edge. It makes
# no launches and copies of its own.
TOLERANCE = {"launch": 2, "copy": 2, "other": 8}

LAUNCHES = {
    "runtime": ["cudaLaunchKernel", "cudaLaunchKernelExC", "cudaLaunchCooperativeKernel"],
    "driver": ["cuLaunchKernel", "cuLaunchKernelEx", "cuLaunchCooperativeKernel"],
}
COPIES = ["cudaMemcpy", "cudaMemcpyAsync", "cudaMemset", "cudaMemsetAsync"]
OTHERS = [
    "cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize", "cudaGraphLaunch",
    "cudaMalloc", "cudaFree", "cudaHostAlloc", "cudaFreeHost",
]


class Row:
    """One line of the table: counts of the Collector and what they should be."""

    def __init__(self, name, kind, counted, expected, at_most=False):
        self.name, self.counted, self.expected, self.at_most = name, counted, expected, at_most
        self.tolerance = TOLERANCE[kind]

    @property
    def agrees(self):
        if self.at_most:
            return self.counted <= max(self.expected) + self.tolerance
        return any(abs(self.counted - e) <= self.tolerance for e in self.expected)


def attributes(holder):
    """OTLP attributes as a dictionary of strings."""
    return {a["key"]: str(next(iter(a["value"].values()))) for a in holder.get("attributes", [])}


def points(lines):
    """Yields (pid, layer, function, series, time in ns, cumulative count)."""
    for line in lines:
        if not line.strip():
            continue
        for resource in json.loads(line).get("resourceMetrics", []):
            process = attributes(resource.get("resource", {}))
            for scope in resource.get("scopeMetrics", []):
                for metric in scope.get("metrics", []):
                    if metric["name"] == "gpu.cuda.call.duration":
                        yield from _points(process, metric["exponentialHistogram"])


def _points(process, histogram):
    if histogram["aggregationTemporality"] not in (2, "AGGREGATION_TEMPORALITY_CUMULATIVE"):
        raise ValueError("gpu.cuda.call.duration is not cumulative")
    for point in histogram.get("dataPoints", []):
        labels = attributes(point)
        # A series that was let go and begins again has another start.
        series = (tuple(sorted(labels.items())), point["startTimeUnixNano"])
        yield (process.get("process.pid"), labels.get("cuda.layer"), labels.get("cuda.call.name"), series,
               int(point["timeUnixNano"]), int(point.get("count", 0)))


def window_counts(metrics, result):
    """The calls of a process by (layer, function) between two quiet moments around its window."""
    before, last = {}, {}
    covered = False
    for pid, layer, function, series, time, count in metrics:
        if pid != str(result["pid"]):
            continue
        covered = covered or time >= result["end_unix_ns"]
        key = (layer, function, series)
        if time <= result["begin_unix_ns"]:
            before[key] = max(before.get(key, 0), count)
        last[key] = max(last.get(key, 0), count)
    if not covered:
        raise ValueError(f"no metrics of process {result['pid']} after the end of its window")
    counts = Counter()
    for (layer, function, series), count in last.items():
        counts[layer, function] += count - before.get((layer, function, series), 0)
    return counts


def plain(symbol):
    """The function's name without the suffixes of versions and per-thread variants."""
    return re.sub(r"(_ptsz|_ptds)?(_v\d+)?(_ptsz|_ptds)?$", "", symbol)


def rows(counts, result):
    """The table. Libraries that bring a CUDA runtime of their own make runtime calls that
    the profiler sees and that cannot be probed; their launches are seen in the driver."""
    profiler = Counter()
    for symbol, calls in result["calls"].items():
        profiler[plain(symbol)] += calls
    at_most = result["own_runtimes"]
    table = []
    for kind, functions in (("launch", LAUNCHES["runtime"]), ("copy", COPIES), ("other", OTHERS)):
        for function in functions:
            counted, expected = counts["runtime", function], profiler[function]
            if counted or expected:
                table.append(Row(function, kind, counted, [expected], at_most))
    runtime = sum(profiler[f] for f in LAUNCHES["runtime"])
    driver = sum(profiler[f] for f in LAUNCHES["driver"])
    counted = sum(counts["driver", f] for f in LAUNCHES["driver"])
    # Versions of the profiler differ in whether they count a driver call inside a runtime call.
    table.append(Row("all launches (driver)", "launch", counted, sorted({runtime + driver, max(runtime, driver)})))
    return table


def print_table(result, table):
    print(f"\n{result['service']} (process {result['pid']}), {result['steps']} steps, PyTorch {result['torch']}, "
          f"CUDA {result['cuda']}, {result['device']}")
    print(f"  {'function':30} {'Collector':>10} {'profiler':>14} {'tolerance':>10}")
    for row in table:
        expected = ("<= " if row.at_most else "") + " or ".join(str(e) for e in row.expected)
        verdict = "" if row.agrees else "  MISMATCH"
        print(f"  {row.name:30} {row.counted:10} {expected:>14} {row.tolerance:10}{verdict}")


def compare(metrics_path, result_path):
    """Prints the table of one result and returns whether all of it agrees."""
    with open(result_path) as file:
        result = json.load(file)
    with open(metrics_path) as file:
        counts = window_counts(points(file), result)
    table = rows(counts, result)
    print_table(result, table)
    if not any(row.counted for row in table):
        print("  MISMATCH: the Collector saw no call at all")
        return False
    return all(row.agrees for row in table)


def main(paths):
    if len(paths) < 2:
        print("usage: compare.py METRICS RESULT...", file=sys.stderr)
        return 2
    agreed = True
    for result in paths[1:]:
        try:
            agreed = compare(paths[0], result) and agreed
        except (OSError, ValueError, KeyError) as error:
            print(f"\nMISMATCH: {result}: {error!r}")
            agreed = False
    print("\nThe Collector and the profiler agree." if agreed else "\nThe Collector and the profiler do not agree.")
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
