"""What of each program's output goes into the report. Each takes a file and gives what reads it."""
import json
import re


class Wrong(Exception):
    """Figures that show a defect."""


def read(path):
    with open(path) as file:
        return json.load(file)


def suite(path):
    """GoogleTest's JSON."""
    def figures(_):
        counts = read(path)
        if not counts["tests"]:
            raise ValueError("no test ran")
        return {"tests": counts["tests"], "failures": counts["failures"]}
    return figures


def sanitizer(text):
    """compute-sanitizer's last words: '== ERROR SUMMARY: 0 errors', '== RACECHECK SUMMARY: 0 hazards displayed ...'."""
    return {"errors": int(re.findall(r"SUMMARY: (\d+) (?:error|hazard)", text)[-1])}


UNTIMED = "ptxrun: no time"  # kernels_benchmark's words


def kernels(path):
    """Google Benchmark's JSON: a row each that was timed; how many were not."""
    def figures(_):
        measured = read(path)
        rows, untimed = [], 0
        for run in measured["benchmarks"]:
            if run.get("error_occurred"):
                if run["error_message"] != UNTIMED:
                    raise ValueError("%s: %s" % (run["name"], run["error_message"]))
                untimed += 1
                continue
            row = {"name": run["name"].split("/iterations:")[0]}
            for key in ("GB/s", "of_copy", "of_floor", "median_us", "enqueue_us"):
                if key in run:
                    row[key] = float("%.4g" % run[key])
            rows.append(row)
        if not rows and not untimed:
            raise ValueError("no benchmark ran")
        context = {key: value for key, value in measured["context"].items() if key.startswith("device")}
        return dict(context, untimed=untimed, kernels=rows)
    return figures


def torch_topk(kernels_path):
    """What bench/peers/topk.py printed, and how many times as fast the encode of as many elements was."""
    def figures(text):
        peer = json.loads(text.strip().splitlines()[-1])
        runs = read(kernels_path)["benchmarks"] if kernels_path.exists() else []
        name = "topk/encode/cuda/%d/" % peer["count"]
        own = [run["median_us"] for run in runs if run["name"].startswith(name) and "median_us" in run]
        return dict(peer, encode_is_times_as_fast=peer["seconds"] * 1e6 / own[0] if own else None)
    return figures


def codecs(path):
    def figures(_):
        keys = ("codec", "data", "count", "timed", "bits_per_element", "vnmse", "encode_gbps", "encode_ef_gbps",
                "decode_gbps", "memcpy_gbps", "encode_floor_share", "encode_ef_floor_share", "decode_floor_share")
        measured = read(path)
        rows = [{key: row[key] for key in keys} for row in measured["results"]]
        return {"device": measured["device"], "codecs": rows}
    return figures


def all_reduce(path):
    def figures(_):
        keys = ("codec", "bytes", "time_us_median", "algbw_gbps", "busbw_gbps", "wire_bytes", "wrong")
        measured = read(path)
        return {"device": measured["device"],
                "sizes": [{key: row[key] for key in keys if key in row} for row in measured["results"]]}
    return figures


def training(path):
    def figures(_):
        keys = ("ranks", "steps", "model", "codec", "transport", "device", "step_seconds_median", "compute_seconds",
                "exposed_comm_seconds", "wire_bytes_per_step", "test_accuracy", "parameters_hash")
        summary = read(path)
        return {key: summary[key] for key in keys if key in summary}
    return figures


MOST_APART = 0.005  # of accuracies: half a point


def trained_alike(path, other):
    """Of two runs that differ in where they ran: their models' arithmetic may, by a little. Both saw to it that their
    ranks ended with equal bits."""
    def figures(_):
        one = training(path)("")
        if not other.exists():
            return dict(one, compared="no: there is no run on the CPU")
        two = training(other)("")
        apart = abs(one["test_accuracy"] - two["test_accuracy"])
        if not apart <= MOST_APART:
            raise Wrong("test accuracy %.2f %% where ranks on the CPU have %.2f %%: more than %.1f points apart" % (
                100 * one["test_accuracy"], 100 * two["test_accuracy"], 100 * MOST_APART))
        return dict(one, cpu_transport=two["transport"], cpu_test_accuracy=two["test_accuracy"],
                    same_parameters_as_cpu=one["parameters_hash"] == two["parameters_hash"])
    return figures
