"""Runs steps one after another, within a budget."""
import dataclasses
import os
import pathlib
import signal
import subprocess
import time
from typing import Callable, Optional

from gpu_check import figures


@dataclasses.dataclass
class Step:
    name: str
    command: list = dataclasses.field(default_factory=list)
    figures: Optional[Callable[[str], dict]] = None  # from what it printed
    skip: str = ""  # why it is not run
    limit: float = 120  # seconds
    late: str = "failed"  # what it is when it takes longer
    writes: Optional[pathlib.Path] = None  # removed first: an earlier run's is none of this one's


@dataclasses.dataclass
class Result:
    name: str
    command: str
    outcome: str  # passed, failed, skipped
    seconds: float = 0.0
    reason: str = ""
    figures: dict = dataclasses.field(default_factory=dict)


def run_all(steps, machine, budget, clock=time.monotonic):
    """Starts no step once the budget is spent, and ends the one that is at work then."""
    begin, results = clock(), []
    for step in steps:
        left = budget - (clock() - begin)
        results.append(run(step, machine, left))
        print(line_of(results[-1]), flush=True)
    return results


def line_of(result):
    return "%-8s %-39s %6.1f s  %s" % (result.outcome, result.name, result.seconds, result.reason)


def run(step, machine, left):
    command = " ".join(map(str, step.command))
    if step.skip or left <= 0:
        return Result(step.name, command, "skipped", reason=step.skip or "time: the budget is spent")
    log = machine.out / "logs" / (step.name.replace(" ", "_").replace("/", "_") + ".log")
    if step.writes:
        step.writes.unlink(missing_ok=True)
    begin = time.monotonic()
    with open(log, "w") as file:
        code = finished(step, machine, min(step.limit, left), file)
    text = log.read_text(errors="replace")
    result = Result(step.name, command, "passed", time.monotonic() - begin)
    if code is None:
        cut = left < step.limit
        result.outcome = "skipped" if cut else step.late
        result.reason = "time: the budget was spent" if cut else "not done in %.0f s" % step.limit
    elif code != 0:
        result.outcome, result.reason = "failed", "exit status %d: %s" % (code, last_line(text))
    return with_figures(result, step, text)


def finished(step, machine, seconds, file):
    """The exit status, or None where it took too long and was ended with all that it had started."""
    try:
        process = subprocess.Popen([str(word) for word in step.command], cwd=machine.root, env=machine.environment(),
                                   stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
    except OSError as error:
        file.write(str(error))
        return 127
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None


def with_figures(result, step, text):
    if step.figures and result.outcome != "skipped":
        try:
            result.figures = step.figures(text)
        except figures.Wrong as error:
            if result.outcome == "passed":
                result.outcome, result.reason = "failed", str(error)
        except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
            if result.outcome == "passed":
                result.outcome, result.reason = "failed", "left no figures: %s: %s" % (type(error).__name__, error)
    return result


def last_line(text):
    """But for what a launcher adds."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("tightwire: rank ")]
    return lines[-1][:300] if lines else "it printed nothing"
