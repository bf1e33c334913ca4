#!/usr/bin/env python3
"""scripts/gpu-check without a GPU: budgets and outcomes of steps, reports, manifests, and all of it under ptxrun.

    gpu_check_test.py SCRIPTS [BUILD PTXRUN_LIB]
"""
import gzip
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time
import types
import unittest

SCRIPTS = pathlib.Path(sys.argv[1])
BUILD, PTXRUN_LIB = (sys.argv + [None, None])[2:4]
sys.dont_write_bytecode = True
sys.path.insert(0, str(SCRIPTS))
from gpu_check import bundle, figures, machine, manifest, report, running, steps  # noqa: E402

HAS_NCCL = PTXRUN_LIB is not None and (pathlib.Path(PTXRUN_LIB) / "nccl/libnccl.so.2").exists()


def ends(process, seconds=10):
    """Whether it does, and is waited for or not, in that time: a signal that was sent need not have arrived."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if pathlib.Path("/proc/%s/stat" % process).read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


class InAFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "logs").mkdir()
        self.machine = types.SimpleNamespace(
            out=self.folder, root=self.folder, environment=lambda: None, ptxrun=None, manifest=None,
            cudart=lambda: None, gpus=[{"name": "a GPU", "driver": "1.2"}], revision=lambda: "abc")

    def run_one(self, step, left=60):
        return running.run(step, self.machine, left)


class Steps(InAFolder):
    def test_exit_status_and_last_words_decide(self):
        self.assertEqual(self.run_one(running.Step("one", ["true"])).outcome, "passed")
        failed = self.run_one(running.Step("two", ["sh", "-c", "echo too bad; exit 3"]))
        self.assertEqual((failed.outcome, failed.reason), ("failed", "exit status 3: too bad"))
        self.assertEqual(self.run_one(running.Step("three", ["/no/such/program"])).outcome, "failed")

    def test_reasons_to_skip_are_kept(self):
        skipped = self.run_one(running.Step("one", [None], skip="no such program"))
        self.assertEqual((skipped.outcome, skipped.reason), ("skipped", "no such program"))

    def test_nothing_starts_after_the_budget(self):
        now = iter([0, 1, 11, 12])
        results = running.run_all([running.Step(name, ["true"]) for name in "abc"], self.machine, 10, lambda: next(now))
        self.assertEqual([result.outcome for result in results], ["passed", "skipped", "skipped"])
        self.assertIn("time", results[1].reason)

    def test_what_takes_too_long_ends_with_its_children(self):
        step = running.Step("slow", ["sh", "-c", "sleep 60 & echo $! >child; wait"], limit=0.3)
        self.assertEqual(self.run_one(step).outcome, "failed")
        child = (self.folder / "child").read_text().strip()
        self.assertTrue(ends(child), "process %s goes on" % child)

    def test_cut_by_the_budget_is_no_failure(self):
        self.assertEqual(self.run_one(running.Step("slow", ["sleep", "60"], limit=9), left=0.2).outcome, "skipped")
        late = running.Step("slow", ["sleep", "60"], limit=0.2, late="skipped")
        self.assertEqual(self.run_one(late).outcome, "skipped")

    def test_figures_that_are_not_there_are_a_failure(self):
        result = self.run_one(running.Step("one", ["true"], figures.suite(self.folder / "none.json")))
        self.assertEqual(result.outcome, "failed")
        self.assertIn("left no figures", result.reason)


class Reports(InAFolder):
    def test_both_files_name_device_driver_and_revision(self):
        rows = [{"name": "int8/encode/cuda/16384", "GB/s": 1.5, "of_copy": 0.5, "of_floor": 0.25, "median_us": 9},
                {"name": "int8/encode/cuda/4194304", "GB/s": 3000, "of_copy": 0.9, "of_floor": 0.8, "median_us": 90},
                {"name": "bucket/int8+ef/batch", "GB/s": 2000, "of_copy": 0.7, "of_floor": 0.6, "median_us": 30}]
        results = [running.Result("kernels", "k", "passed", 1.0, "", {"device_copied": "3 GB/s", "kernels": rows}),
                   running.Result("other", "o", "skipped", reason="no NCCL")]
        self.assertEqual(report.write(self.machine, results, 480), 0)
        text = (self.folder / "gpu-check.md").read_text()
        row = "| int8/encode/cuda/4194304 | 3000 | 90 % | 80 % |"
        for wanted in ("a GPU", "1.2", "abc", "no NCCL", row, "bucket/int8"):
            self.assertIn(wanted, text)
        self.assertNotIn("16384", text)
        kept = json.loads((self.folder / "gpu-check.json").read_text())
        self.assertEqual(kept["outcome"], "passed")
        self.assertEqual(kept["steps"][0]["figures"]["kernels"], rows)

    def test_one_failure_fails_all(self):
        self.assertEqual(report.write(self.machine, [running.Result("a", "a", "failed")], 480), 1)

    def test_ptxrun_leaves_no_times(self):
        kept = report.without_times({"step_seconds_median": 1, "ranks": 2, "sizes": [{"busbw_gbps": 3, "wrong": 0}]})
        self.assertEqual(kept, {"ranks": 2, "sizes": [{"wrong": 0}]})

    def test_benchmarks_that_failed_are_no_figures(self):
        path = self.folder / "kernels.json"
        for message, wanted in ((figures.UNTIMED, 1), ("out of memory", None)):
            path.write_text(json.dumps({"context": {}, "benchmarks": [
                {"name": "int8/cuda/1", "error_occurred": True, "error_message": message}]}))
            if wanted:
                self.assertEqual(figures.kernels(path)("")["untimed"], wanted)
            else:
                with self.assertRaisesRegex(ValueError, "int8/cuda/1: out of memory"):
                    figures.kernels(path)("")

    def test_models_that_differ_too_much_are_a_failure(self):
        paths = [self.folder / name for name in ("nccl.json", "cpu.json")]
        for other, wanted in ((0.854, None), (0.856, "85.00 % where ranks on the CPU have 85.60 %")):
            for path, value in zip(paths, (0.850, other)):
                path.write_text(json.dumps({"test_accuracy": value, "parameters_hash": path.name, "transport": "tcp"}))
            result = self.run_one(running.Step("one", ["true"], figures.trained_alike(*paths)))
            self.assertEqual(result.outcome, "failed" if wanted else "passed", result.reason)
            self.assertIn(wanted or "", result.reason)
        paths[1].unlink()
        alone = self.run_one(running.Step("one", ["true"], figures.trained_alike(*paths)))
        self.assertEqual((alone.outcome, alone.figures["compared"][:3]), ("passed", "no:"))

    def test_a_program_that_failed_says_why_itself(self):
        def wrong(_):
            raise figures.Wrong("other words")
        said = "echo no data here; echo tightwire: rank 0 ended with exit code 1; exit 1"
        failed = self.run_one(running.Step("one", ["sh", "-c", said], wrong))
        self.assertEqual((failed.outcome, failed.reason), ("failed", "exit status 1: no data here"))

    def test_what_an_earlier_run_wrote_does_not_count(self):
        path = self.folder / "old.json"
        path.write_text('{"tests": 1, "failures": 0}')
        result = self.run_one(running.Step("one", ["true"], figures.suite(path), writes=path))
        self.assertEqual(result.outcome, "failed")

    def test_the_peer_is_compared_with_the_encode_of_as_many(self):
        path = self.folder / "kernels.json"
        read = figures.torch_topk(path)
        said = 'a warning\n{"count": 4096, "seconds": 0.001, "gbps": 1.0}\n'
        self.assertIsNone(read(said)["encode_is_times_as_fast"])
        rows = [{"name": "topk/encode/cuda/%d/iterations:30" % n, "median_us": n / 40.96} for n in (4096, 40960)]
        path.write_text(json.dumps({"benchmarks": rows}))
        self.assertAlmostEqual(read(said)["encode_is_times_as_fast"], 10)

    def test_sanitizers_are_counted_by_their_last_words(self):
        self.assertEqual(figures.sanitizer("x\n========= ERROR SUMMARY: 3 errors\n"), {"errors": 3})
        last = "=== RACECHECK SUMMARY: 2 hazards displayed (2 errors, 0 warnings)"
        self.assertEqual(figures.sanitizer(last), {"errors": 2})


class Bundles(InAFolder):
    def test_manifest_finds_what_was_changed_or_lost(self):
        for name in ("kept", "changed", "lost"):
            (self.folder / name).write_text(name)
        self.assertEqual(manifest.seal(self.folder, "abc"), 0)
        kept = manifest.read(self.folder)
        self.assertEqual(kept["revision"], "abc")
        self.assertEqual(manifest.differing(self.folder, kept), [])
        (self.folder / "changed").write_text("Changed")
        (self.folder / "lost").unlink()
        self.assertEqual(manifest.differing(self.folder, kept), ["changed", "lost"])

    def test_forty_mebibytes_are_the_most(self):
        with open(self.folder / "large", "wb") as file:
            file.truncate(manifest.MOST_BYTES + 1)
        self.assertEqual(manifest.seal(self.folder, "abc"), 1)

    def test_data_is_cut_in_its_own_format(self):
        for split in bundle.IMAGES:
            for kind, shape, each in (("images-idx3", (2, 3), 6), ("labels-idx1", (), 1)):
                head = struct.pack(">HBBI%dI" % len(shape), 0, 8, 1 + len(shape), 20000, *shape)
                path = self.folder / ("%s-%s-ubyte.gz" % (split, kind))
                path.write_bytes(gzip.compress(head + bytes(i % 251 for i in range(20000 * each)), 1))
        bundle.slice_data(self.folder, self.folder / "cut")
        images = gzip.decompress((self.folder / "cut/train-images-idx3-ubyte.gz").read_bytes())
        self.assertEqual(struct.unpack(">HBBIII", images[:16]), (0, 8, 3, 12800, 2, 3))
        self.assertEqual(images[16:], bytes(i % 251 for i in range(12800 * 6)))
        labels = gzip.decompress((self.folder / "cut/t10k-labels-idx1-ubyte.gz").read_bytes())
        self.assertEqual(len(labels), 8 + 2000)

    def test_folders_of_others_are_left_alone(self):
        (self.folder / "thesis").write_text("years")
        with self.assertRaisesRegex(manifest.Refused, "it holds other things"):
            bundle.pack(self.folder, self.folder, None, None)
        self.assertEqual((self.folder / "thesis").read_text(), "years")


@unittest.skipUnless(PTXRUN_LIB, "needs a build with CUDA")
class Script(InAFolder):
    def check(self, *words):
        command = [SCRIPTS / "gpu-check", "--out", self.folder, "--bin", BUILD, *words]
        return subprocess.run(command, env=dict(os.environ, PTXRUN_DEVICES="2"), text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)

    def test_runs_every_kind_of_step_under_ptxrun(self):
        only = "contract of kernels|bench of|topk of|all_reduce|memcheck|CPU|training.*NCCL"
        done = self.check("--ptxrun", PTXRUN_LIB, "--only", only)
        self.assertEqual(done.returncode, 0, done.stdout)
        kept = json.loads((self.folder / "gpu-check.json").read_text())
        outcomes = {step["name"]: step["outcome"] for step in kept["steps"]}
        nccl = "passed" if HAS_NCCL else "skipped"
        self.assertEqual(outcomes, {
            "contract of kernels": "passed", "bench of kernels": "passed", "bench of codecs": "passed",
            "torch.topk of magnitudes": "skipped",
            "all_reduce of two ranks on one GPU": "passed", "all_reduce of two ranks over NCCL": nccl,
            "all_reduce of two NCCL ranks on one GPU": nccl, "training, two ranks on the CPU": "passed",
            "training, two NCCL ranks on one GPU": nccl, "memcheck of kernels": "skipped",
            "memcheck of compress": "skipped"}, done.stdout)
        of = {step["name"]: step["figures"] for step in kept["steps"]}
        self.assertEqual(of["bench of kernels"]["untimed"], 2)
        self.assertEqual(len(of["bench of codecs"]["codecs"]), 7)
        self.assertNotIn("encode_gbps", of["bench of codecs"]["codecs"][0])
        self.assertGreater(of["contract of kernels"]["tests"], 1)
        self.assertIn("without a GPU", (self.folder / "gpu-check.md").read_text())
        for name in [name for name in outcomes if name.startswith("all_reduce") and outcomes[name] == "passed"]:
            self.assertEqual([row["wrong"] for row in of[name]["sizes"]], [0, None], name)
            self.assertNotIn("time_us_median", of[name]["sizes"][0])
        if HAS_NCCL:
            self.assertTrue(of["training, two NCCL ranks on one GPU"]["same_parameters_as_cpu"])

    @unittest.skipUnless(HAS_NCCL, "needs a build with NCCL")
    def test_ranks_that_share_a_gpu_must_be_told_apart(self):
        here = machine.Machine(SCRIPTS.parent, types.SimpleNamespace(
            out=self.folder, bin=pathlib.Path(BUILD), data_dir=None, ptxrun=pathlib.Path(PTXRUN_LIB)))
        command = steps.reduced(here, self.folder / "rows.json", "nccl", "cuda:0", "4K")
        alone = [here.program("tightwire"), "launch", "-n", 2, "--", *command]
        for words, code in ((alone, 1), (steps.sharing(here, command), 0)):
            done = subprocess.run(here.on_device(list(map(str, words))), text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, env=dict(here.environment(), PTXRUN_DEVICES="2"))
            self.assertEqual(done.returncode, code, done.stdout)
            self.assertEqual("ranks 0 and 1 are on one GPU" in done.stdout, code == 1, done.stdout)

    def test_programs_that_are_not_there_are_skipped(self):
        done = self.check("--ptxrun", PTXRUN_LIB, "--bin", self.folder, "--only", "contract")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("no test_kernels_cuda in", done.stdout)

    @unittest.skipIf(pathlib.Path("/dev/nvidia0").exists(), "there is a GPU")
    def test_no_gpu_is_said_and_nothing_is_run(self):
        done = self.check()
        self.assertEqual(done.returncode, 3, done.stdout)
        self.assertIn("there is no GPU here", done.stdout)

    def test_wrong_folders_are_refused(self):
        done = self.check("--ptxrun", self.folder)
        self.assertEqual(done.returncode, 2)
        self.assertIn("no libcudart.so.13 there", done.stdout)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
