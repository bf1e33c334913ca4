"""The steps: whether bytes are right, then figures, then what takes long."""
import json
import re
import shutil
import sys

from gpu_check import figures
from gpu_check.running import Step

# Under a sanitizer a launch takes ten to a hundred times as long: every kernel, few inputs.
TRIMMED = {"kernels": "*CudaSelect.*:*CudaBatch.*:*CudaMeasure.*:*CudaBlocks.May*:*CudaBatches.*",
           "compress": "CodecContract.WritesItsWholeBodyAndNothingElse:CodecFeedback.ARolledBackStepLeavesNoTrace"}
QUICK = {"kernels": "CudaMeasure.*", "compress": "Golden.*", "exchange": "*.RefusesWhat*"}
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
CODECS = ("identity", "bf16", "int8", "onebit", "qsgd:bits=4", "topk:ratio=0.01", "randomk:ratio=0.01")
TRAINED = {"dense": "identity", "int8": "int8+ef", "topk": "topk:ratio=0.01+ef"}
ON_CPU = "train_on_cpu"  # what ranks elsewhere are compared with
# NCCL takes ranks that share a GPU for ones of two machines, if they say so and use nothing but the network.
SHARING = 'NCCL_HOSTID=$TW_RANK NCCL_P2P_DISABLE=1 NCCL_SHM_DISABLE=1 NCCL_NET=Socket exec "$@"'


def steps_for(machine, only):
    """Those whose name the expression matches."""
    steps = ([suite(machine, "kernels"), suite(machine, "compress"), kernels(machine), torch_topk(machine),
              codecs(machine), suite(machine, "exchange"), on_one_device(machine), over_nccl(machine)] +
             [training(machine, name) for name in TRAINED] +
             [nccl_on_one_gpu(machine), training_on_cpu(machine), training_over_nccl(machine)] +
             [sanitized(machine, tool, layer) for tool in TOOLS for layer in TRIMMED])
    return [step for step in steps if re.search(only, step.name)]


def missing(machine, name):
    """Why a program cannot be run, or ''."""
    if machine.program(name):
        return ""
    target = {"tightwire": "tightwire_cli", "tightwire-train": "tightwire_train"}.get(name, name)
    return "no %s in %s (target %s)" % (name, machine.bin, target)


def result_file(machine, name):
    """Where a step's program puts its JSON."""
    return machine.out / ("logs/%s.json" % name)


def suite(machine, layer):
    program, path = "test_%s_cuda" % layer, result_file(machine, layer)
    command = [machine.program(program), "--gtest_brief=1", "--gtest_output=json:%s" % path]
    if machine.ptxrun:
        command.append("--gtest_filter=" + QUICK[layer])
    return Step("contract of " + layer, machine.on_device(command), figures.suite(path), missing(machine, program),
                writes=path)


def kernels(machine):
    path = result_file(machine, "kernels_benchmark")
    some = "^(int8/encode_ef|topk/encode)/cuda/16384/" if machine.ptxrun else "/cuda/|^bucket/"
    command = [machine.program("kernels_benchmark"), "--benchmark_filter=" + some, "--benchmark_out=%s" % path]
    return Step("bench of kernels", machine.on_device(command), figures.kernels(path),
                missing(machine, "kernels_benchmark"), writes=path)


def torch_topk(machine):
    encoded = result_file(machine, "kernels_benchmark")
    command = [sys.executable, machine.root / "bench/peers/topk.py", 1 << 26, 0.01, "gaussian", "cuda"]
    skip = "no torch with CUDA in this Python" if machine.ptxrun or not machine.has_torch() else ""
    return Step("torch.topk of magnitudes", command, figures.torch_topk(encoded), skip)


def codecs(machine):
    path = result_file(machine, "codecs")
    command = [machine.program("tightwire"), "bench", "codecs", "--device", "cuda", "--json", path, "--codec", *CODECS]
    command += ["--count", 5000, "--rounds", 1] if machine.ptxrun else ["--count", 1 << 26]
    return Step("bench of codecs", machine.on_device(command), figures.codecs(path), missing(machine, "tightwire"),
                writes=path)


def knows(machine, program, words, option):
    """Whether the program has an option; '' or why not. One that does not start is left to fail as a step."""
    if missing(machine, program):
        return missing(machine, program)
    said = machine.asked([machine.program(program), *words, "--help"])
    if not said or option in said:
        return ""
    return "this build's %s has no %s" % (" ".join([program, *words]), option)


def reduced(machine, path, transport, device, largest):
    sizes = ["-b", "64K", "-e", "64K", "-n", 1, "-w", 0] if machine.ptxrun else ["-b", "1M", "-e", largest]
    return [machine.program("tightwire"), "bench", "all_reduce", "--ranks", 2, "--transport", transport, "--device",
            device, "--codec", "identity", "int8+ef", *sizes, "--json", path]


def on_one_device(machine):
    path = result_file(machine, "all_reduce_on_one_gpu")
    command = reduced(machine, path, "loopback", "cuda:0", "256M")
    return Step("all_reduce of two ranks on one GPU", machine.on_device(command), figures.all_reduce(path),
                knows(machine, "tightwire", ["bench", "all_reduce"], "--device"), writes=path)


def over_nccl(machine):
    path = result_file(machine, "all_reduce_over_nccl")
    skip = why_no(machine, "nccl")
    if not skip and machine.gpu_count() < 2:
        skip = "there is one GPU here: see the ranks that share it"
    command = reduced(machine, path, "nccl", "cuda", "256M")
    return Step("all_reduce of two ranks over NCCL", machine.on_device(command), figures.all_reduce(path), skip,
                writes=path)


def nccl_on_one_gpu(machine):
    path = result_file(machine, "all_reduce_of_sharing_ranks")
    command = sharing(machine, reduced(machine, path, "nccl", "cuda:0", "16M"))
    return Step("all_reduce of two NCCL ranks on one GPU", machine.on_device(command), figures.all_reduce(path),
                why_no(machine, "nccl"), late="skipped", writes=path)


def sharing(machine, command):
    """The command line that runs a command as two ranks of one GPU."""
    return [machine.program("tightwire"), "launch", "-n", 2, "--no-prefix", "--", "sh", "-c", SHARING, "rank", *command]


def why_no(machine, transport):
    skip = knows(machine, "tightwire", ["bench", "all_reduce"], "--device")
    if skip:
        return skip
    rows = json.loads(machine.asked([machine.program("tightwire"), "info", "--json"]) or "{}").get("transports", [])
    found = [row["unavailable"] for row in rows if row["name"] == transport]
    return found[0] if found else "this build has no transport " + transport


def trained(machine, path, codec, *more):
    program = machine.program("tightwire-train")
    # The model of the demo needs a libtorch with CUDA, which bundles leave out.
    torch = program is not None and b"libtorch_cuda.so" in program.read_bytes()
    command = [program, "--ranks", 2, "--model", "mlp:hidden=2048,layers=2" if torch else "linear", "--codec", codec,
               "--batch", 64, "--steps", 2 if machine.ptxrun else 100, "--seed", 1, "--summary", path, "--quiet", *more]
    return command + (["--data-dir", machine.data] if machine.data else [])


def training(machine, name):
    path = result_file(machine, "train_" + name)
    command = trained(machine, path, TRAINED[name], "--device", "cuda")
    return Step("training, " + name, machine.on_device(command), figures.training(path),
                knows(machine, "tightwire-train", [], "--device"), writes=path)


def training_on_cpu(machine):
    path = result_file(machine, ON_CPU)
    transport = "tcp" if why_no(machine, "ucx") else "ucx"
    command = trained(machine, path, TRAINED["int8"], "--device", "cpu", "--transport", transport)
    return Step("training, two ranks on the CPU", command, figures.training(path), missing(machine, "tightwire-train"),
                writes=path)


def training_over_nccl(machine):
    path = result_file(machine, "train_over_nccl")
    command = trained(machine, path, TRAINED["int8"], "--device", "cuda:0", "--transport", "nccl")
    return Step("training, two NCCL ranks on one GPU", machine.on_device(sharing(machine, command)),
                figures.trained_alike(path, result_file(machine, ON_CPU)),
                missing(machine, "tightwire-train") or why_no(machine, "nccl"), late="skipped",
                writes=path)


def sanitized(machine, tool, layer):
    program = "test_%s_cuda" % layer
    sanitizer = shutil.which("compute-sanitizer") or shutil.which("/usr/local/cuda/bin/compute-sanitizer")
    skip = missing(machine, program)
    if machine.ptxrun:
        skip = "ptxrun checks on its own"
    elif not sanitizer:
        skip = "no compute-sanitizer here"
    command = [sanitizer, "--tool", tool, "--error-exitcode", 9, machine.program(program), "--gtest_brief=1",
               "--gtest_filter=" + TRIMMED[layer]]
    return Step("%s of %s" % (tool, layer), command, figures.sanitizer, skip, limit=60, late="skipped")
