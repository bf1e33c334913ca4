"""The two files that a check leaves, and its last words."""
import json
import os
import platform
import re
import time


UNTIMED = "Run under ptxrun, without a GPU: nothing here says how long anything takes on one."


def context_of(machine):
    return {"date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "revision": machine.revision(),
            "devices": ["ptxrun (interpreted sm_90)"] if machine.ptxrun else [gpu["name"] for gpu in machine.gpus],
            "driver": "none" if machine.ptxrun else machine.gpus[0]["driver"],
            "cudart": "ptxrun" if machine.ptxrun else machine.cudart() or "the loader's",
            "kernel": platform.system() + " " + platform.release(), "cores": os.cpu_count(),
            "bundle": bool(machine.manifest)}


def without_times(figures):
    """Of what ptxrun ran: its times are the interpreter's."""
    if isinstance(figures, list):
        return [without_times(each) for each in figures]
    if isinstance(figures, dict):
        times = re.compile("seconds|_us|gbps|share")
        return {key: without_times(value) for key, value in figures.items() if not times.search(key)}
    return figures


def write(machine, results, budget):
    """Returns the exit status."""
    if machine.ptxrun:
        for result in results:
            result.figures = without_times(result.figures)
    failed = [result.name for result in results if result.outcome == "failed"]
    passed = [result.name for result in results if result.outcome == "passed"]
    report = {"kind": "gpu check", "schema_version": 1, "context": context_of(machine), "budget_seconds": budget,
              "seconds": round(sum(result.seconds for result in results), 1),
              "outcome": "failed" if failed else "passed" if passed else "skipped",
              "steps": [dict(vars(result), seconds=round(result.seconds, 1)) for result in results]}
    (machine.out / "gpu-check.json").write_text(json.dumps(report, indent=1) + "\n")
    (machine.out / "gpu-check.md").write_text(markdown(report, machine))
    print("gpu-check: %d passed, %d failed, %d skipped: %s" % (
        len(passed), len(failed), len(results) - len(passed) - len(failed), machine.out / "gpu-check.md"))
    return 1 if failed else 0


def table(header, rows):
    lines = [header, ["---"] * len(header)] + rows
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def markdown(report, machine):
    context = report["context"]
    text = "# Tightwire on %s: %s\n\n" % (", ".join(context["devices"]), report["outcome"])
    text += "Revision %s, driver %s, CUDA runtime %s, %s, %d cores; %s; %.0f s, none started after %.0f.\n" % (
        context["revision"], context["driver"], context["cudart"], context["kernel"], context["cores"], context["date"],
        report["seconds"], report["budget_seconds"])
    text += "\n%s\n" % UNTIMED if machine.ptxrun else ""
    rows = [[step["name"], step["outcome"], "%.1f" % step["seconds"], step["reason"] or in_short(step["figures"])]
            for step in report["steps"]]
    text += "\n" + table(["step", "outcome", "seconds", "what"], rows)
    for step in report["steps"]:
        text += kernels(step["figures"]) + codecs(step["figures"]) + sizes(step["name"], step["figures"])
    return text + "\nCommands and all figures are in gpu-check.json, what programs printed in logs/.\n"


def in_short(figures):
    """Single values, and how many rows there are of what has tables."""
    words = ["%s %s" % (key, "%.4g" % value if isinstance(value, float) else value)
             for key, value in figures.items() if not isinstance(value, (list, dict))]
    return ", ".join(words + ["%d %s" % (len(rows), key) for key, rows in figures.items() if isinstance(rows, list)])


def percent(share):
    return "" if share is None else "%.0f %%" % (100 * share)


def kernels(figures):
    """Ops at the largest size that was measured, then buckets."""
    rows = figures.get("kernels")
    if not rows:
        return ""
    size = lambda row: int(row["name"].rsplit("/", 1)[1]) if "/cuda/" in row["name"] else 0
    largest = max(map(size, rows))
    shown = [[row["name"], row.get("GB/s", ""), percent(row.get("of_copy")), percent(row.get("of_floor")),
              row.get("median_us", ""), row.get("enqueue_us", "")] for row in rows if size(row) in (0, largest)]
    text = ("\n## Kernels\n\nMedians of events with a cold cache; GB/s of f32 in 1e9 bytes, over what the device "
            "copies (%s), and the share of the time that what must move takes at that rate.\n\n")
    text %= figures["device_copied"]
    return text + table(["op", "GB/s", "of copy", "of floor", "us", "us to enqueue"], shown)


def sizes(name, figures):
    """Of all-reduces."""
    rows = figures.get("sizes")
    if not rows:
        return ""
    shown = [["%.4g" % cell if isinstance(cell, float) else cell for cell in row.values()] for row in rows]
    return "\n## %s\n\n" % name.capitalize() + table(list(rows[0]), shown)


def codecs(figures):
    rows = figures.get("codecs")
    if not rows or not rows[0]["timed"]:
        return ""
    shown = [[row["codec"], "%.3f" % row["bits_per_element"], "%.3g" % row["vnmse"], row["encode_gbps"],
              percent(row["encode_floor_share"]), row["encode_ef_gbps"], percent(row["encode_ef_floor_share"]),
              row["decode_gbps"], percent(row["decode_floor_share"]), row["memcpy_gbps"]] for row in rows]
    shown = [["%.0f" % cell if isinstance(cell, float) else cell or "" for cell in row] for row in shown]
    text = ("\n## Codecs\n\n%d f32, %s data, GB/s of f32 in 1e9 bytes; floor: share of the time that reads and writes "
            "take.\n\n")
    header = ["codec", "bits", "vnmse", "encode", "floor", "with feedback", "floor", "decode, add", "floor", "memcpy"]
    return text % (rows[0]["count"], rows[0]["data"]) + table(header, shown)


