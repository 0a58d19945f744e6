"""python3 -m unittest compare_test: compare.py on made-up inputs. Needs no GPU and no PyTorch."""

import contextlib
import io
import json
import os
import tempfile
import unittest

import compare

PID = 42


def message(time, counts, pid=PID, start=1, temporality=2, thread="7"):
    """One line of the file exporter; counts by (layer, function)."""
    def attribute(key, value):
        return {"key": key, "value": {"stringValue": value}}

    data = [{
        "attributes": [attribute("cuda.layer", layer), attribute("cuda.call.name", function), attribute("thread.id", thread)],
        "startTimeUnixNano": str(start), "timeUnixNano": str(time), "count": str(count),
    } for (layer, function), count in counts.items()]
    histogram = {"aggregationTemporality": temporality, "dataPoints": data}
    metrics = [{"name": "gpu.cuda.call.duration", "exponentialHistogram": histogram}, {"name": "dispatch.time", "sum": {}}]
    resource = {"attributes": [{"key": "process.pid", "value": {"intValue": str(pid)}}]}
    return json.dumps({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}]}) + "\n"


def result(calls, **changes):
    values = {
        "pid": PID, "service": "test", "begin_unix_ns": 1000, "end_unix_ns": 2000, "steps": 5, "own_runtimes": False,
        "calls": calls, "torch": "2", "cuda": "12", "device": "none",
    }
    values.update(changes)
    return values


class Files(unittest.TestCase):
    def compare(self, lines, *results):
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, "metrics.jsonl")]
            with open(paths[0], "w") as file:
                file.writelines(lines)
            for i, content in enumerate(results):
                paths.append(os.path.join(folder, f"{i}.json"))
                with open(paths[-1], "w") as file:
                    json.dump(content, file)
            with contextlib.redirect_stdout(io.StringIO()) as output:
                status = compare.main(paths)
        return status, output.getvalue()

    def test_agreement_over_the_window_only(self):
        launch, driver = ("runtime", "cudaLaunchKernel"), ("driver", "cuLaunchKernel")
        lines = [message(900, {launch: 100, driver: 100}), message(1500, {launch: 150, driver: 150}),
                 message(2100, {launch: 357, driver: 357}), message(2100, {launch: 1, driver: 1}, pid=43)]
        status, output = self.compare(lines, result({"cudaLaunchKernel": 257}))
        self.assertEqual(status, 0, output)
        self.assertIn("257", output)

    def test_threads_and_restarted_series_add_up(self):
        driver = ("driver", "cuLaunchKernel")
        lines = [message(900, {driver: 10}), message(2100, {driver: 20}), message(2100, {driver: 30}, thread="8"),
                 message(2200, {driver: 5}, start=1800)]
        status, output = self.compare(lines, result({"cuLaunchKernel": 45}))
        self.assertEqual(status, 0, output)

    def test_a_lost_launch_is_a_mismatch(self):
        launch, driver = ("runtime", "cudaLaunchKernel"), ("driver", "cuLaunchKernel")
        lines = [message(2100, {launch: 254, driver: 257})]
        status, output = self.compare(lines, result({"cudaLaunchKernel": 257}))
        self.assertEqual(status, 1)
        self.assertRegex(output, "cudaLaunchKernel .*MISMATCH")
        self.assertNotRegex(output, "all launches .*MISMATCH")

    def test_the_edges_are_tolerated(self):
        lines = [message(2100, {("runtime", "cudaDeviceSynchronize"): 9, ("driver", "cuLaunchKernel"): 0})]
        self.assertEqual(self.compare(lines, result({"cudaDeviceSynchronize": 1}))[0], 0)
        lines = [message(2100, {("runtime", "cudaDeviceSynchronize"): 10})]
        self.assertEqual(self.compare(lines, result({"cudaDeviceSynchronize": 1}))[0], 1)

    def test_libraries_with_their_own_runtime(self):
        launch, driver = ("runtime", "cudaLaunchKernel"), ("driver", "cuLaunchKernel")
        lines = [message(2100, {launch: 100, driver: 150})]
        calls = {"cudaLaunchKernel": 150}
        self.assertEqual(self.compare(lines, result(calls, own_runtimes=True))[0], 0)
        self.assertEqual(self.compare(lines, result(calls))[0], 1)
        lines = [message(2100, {launch: 100, driver: 100})]
        self.assertEqual(self.compare(lines, result(calls, own_runtimes=True))[0], 1, "driver launches are missing")

    def test_driver_launches_counted_either_way(self):
        launch, driver, extended = ("runtime", "cudaLaunchKernel"), ("driver", "cuLaunchKernel"), ("driver", "cuLaunchKernelEx")
        lines = [message(2100, {launch: 100, driver: 100, extended: 30})]
        for calls in ({"cudaLaunchKernel": 100, "cuLaunchKernelEx": 30}, {"cudaLaunchKernel": 100, "cuLaunchKernel": 100, "cuLaunchKernelEx": 30}):
            status, output = self.compare(lines, result(calls))
            self.assertEqual(status, 0, output)

    def test_suffixes(self):
        for symbol in ("cudaMemcpyAsync_ptsz", "cudaMemcpyAsync_v3020", "cudaMemcpyAsync_ptsz_v7000"):
            self.assertEqual(compare.plain(symbol), "cudaMemcpyAsync")
        lines = [message(2100, {("runtime", "cudaMemcpyAsync"): 19})]
        self.assertEqual(self.compare(lines, result({"cudaMemcpyAsync_v3020": 19}))[0], 0)

    def test_nothing_seen(self):
        self.assertEqual(self.compare([], result({"cudaLaunchKernel": 1}))[0], 1)
        self.assertEqual(self.compare([message(900, {("driver", "cuLaunchKernel"): 7})], result({}))[0], 1, "ends too early")
        self.assertEqual(self.compare([message(2100, {("driver", "cuMemAlloc"): 7})], result({}))[0], 1, "no compared call")

    def test_bad_input(self):
        driver = {("driver", "cuLaunchKernel"): 7}
        self.assertEqual(self.compare([message(2100, driver, temporality=1)], result({"cuLaunchKernel": 7}))[0], 1)
        self.assertEqual(self.compare(["{not json\n"], result({}))[0], 1)
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(compare.main(["/nonexistent", "/nonexistent"]), 1)
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(compare.main([]), 2)


if __name__ == "__main__":
    unittest.main()
