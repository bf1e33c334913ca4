"""What is on this machine: GPUs, programs, libraries, data."""
import glob
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile

from gpu_check import manifest

# Where a build folder has each program; bundles have all in one folder.
PROGRAMS = {"tightwire": "bin", "tightwire-train": "bin", "kernels_benchmark": "bin",
            "test_kernels_cuda": "tests/kernels", "test_compress_cuda": "tests/compress",
            "test_exchange_cuda": "tests/collectives"}


def output_of(command, **more):
    """What it printed, or None where it failed."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60, **more)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def revision_of(root):
    """Git's name of the commit, as the programs have it."""
    described = output_of(["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"])
    return (described or "unknown").strip()


def gpus():
    """Name, driver and memory of each GPU, and why there is none."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    listed = output_of(query)
    if listed and listed.strip():
        rows = [[cell.strip() for cell in line.split(",")] for line in listed.strip().splitlines()]
        return [dict(zip(("name", "driver", "memory"), row)) for row in rows], ""
    nodes = [path for path in glob.glob("/dev/nvidia*") if path[len("/dev/nvidia"):].isdigit()]
    if nodes:  # containers may lack the tool
        return [{"name": "unknown (no nvidia-smi)", "driver": "unknown", "memory": "unknown"} for _ in nodes], ""
    return [], "nvidia-smi " + ("finds none" if shutil.which("nvidia-smi") else "is not installed") + \
        " and there is no /dev/nvidia0"


def pip_libraries():
    """Folders of the libraries that a pip torch brings."""
    found = importlib.util.find_spec("nvidia")
    homes = list(found.submodule_search_locations) if found and found.submodule_search_locations else []
    return [pathlib.Path(path) for home in homes for path in sorted(glob.glob(home + "/*/lib"))]


class Machine:
    def __init__(self, root, options):
        self.root = root
        self.manifest = manifest.read(root)
        self.gpus, self.why_no_gpu = gpus()
        self.ptxrun = options.ptxrun and options.ptxrun.resolve()
        self.out = (options.out or pathlib.Path("out/gpu-check")).resolve()
        self.bin = (options.bin or root / "build/cpu-release").resolve()
        self.answers = {}
        self.fallback = False  # whether programs of a bundle take its libstdc++
        self.data = options.data_dir or (root / "data" if (root / "data").exists() else None)
        if self.ptxrun and not (self.ptxrun / "libcudart.so.13").exists():
            raise manifest.Refused("--ptxrun %s: no libcudart.so.13 there; build the target ptxrun_cudart and name its "
                                   "folder" % self.ptxrun)

    def gpu_count(self):
        return int(os.environ.get("PTXRUN_DEVICES", 1)) if self.ptxrun else len(self.gpus)

    def unpack(self):
        """Makes the folder for results; a bundle's programs are unpacked into it."""
        (self.out / "logs").mkdir(parents=True, exist_ok=True)
        if not self.manifest:
            return
        wrong = manifest.differing(self.root, self.manifest)
        if wrong:
            raise manifest.Refused("this bundle is not as it was packed, copy it again: " + ", ".join(wrong))
        with tarfile.open(self.root / manifest.ARCHIVE) as archive:
            archive.extractall(self.out / "programs")
        self.bin = self.out / "programs"
        self.fallback = bool(re.search(r"GLIBCXX|GCC_|libstdc\+\+|libgcc_s", self.complaint()))

    def program(self, name):
        """Its path, or None."""
        for path in (self.bin / name, self.bin / PROGRAMS[name] / name):
            if path.exists():
                return path
        return None

    def complaint(self):
        """What the loader says of a program, or ''."""
        command = self.on_device([str(self.program("tightwire") or "true"), "--version"])
        return subprocess.run(command, env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True).stderr

    def libraries(self):
        """Where the loader looks first: beside the script, in the bundle, then CUDA's and pip's."""
        homes = [os.environ[name] for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)] + ["/usr/local/cuda"]
        own = [self.root / "lib", self.bin / "lib"] + ([self.bin / "fallback"] if self.fallback else [])
        own += [self.ptxrun / "nccl"] if self.ptxrun else []  # whose ranks are processes, too
        cuda = [pathlib.Path(home) / "lib64" for home in homes]
        return [folder for folder in own + cuda + pip_libraries() if folder.exists()]

    def cudart(self):
        """Of CUDA's runtime, the file that programs will load unless they know better."""
        found = [folder / "libcudart.so.13" for folder in self.libraries()]
        return next((str(path) for path in found if path.exists()), None)

    def environment(self):
        """Of every step."""
        kept = os.environ.get("LD_LIBRARY_PATH", "")
        folders = [str(folder) for folder in self.libraries()] + ([kept] if kept else [])
        env = dict(os.environ, LD_LIBRARY_PATH=":".join(folders))
        if self.ptxrun:
            env["PTXRUN_LIB"] = str(self.ptxrun)
        return env

    def on_device(self, command):
        """The command line that runs a CUDA program."""
        if not self.ptxrun:
            return command
        return [str(self.root / "tests/ptxrun/ptxrun"), "--quiet"] + command

    def asked(self, words):
        """What a program of ours prints, or ''. Asked once."""
        command = tuple(self.on_device([str(word) for word in words]))
        if command not in self.answers:
            self.answers[command] = output_of(command, env=self.environment(), cwd=self.root) or ""
        return self.answers[command]

    def has_torch(self):
        """Whether this Python has one that uses the GPU."""
        asks = "import sys, torch; sys.exit(not torch.cuda.is_available())"
        return importlib.util.find_spec("torch") is not None and output_of([sys.executable, "-c", asks]) is not None

    def revision(self):
        if self.manifest:
            return self.manifest["revision"]
        return revision_of(self.root)
