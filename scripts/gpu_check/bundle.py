"""Packs what a machine without package registries needs to be checked: programs, a slice of the data, the scripts, and
a manifest of all of it.

Programs are linked statically where this machine has static libraries; the others go beside them. CUDA's runtime and
glibc are the other machine's, and so is libstdc++ if it serves: the one that is packed for machines where it does not,
as a static one would, asks for a newer glibc than the programs do. Device code is not compressed, so that tests/ptxrun
can read it, and much the same in each program: they travel in one archive.
"""
import gzip
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tarfile
import tempfile

from gpu_check import machine, manifest

IMAGES = {"train": 12800, "t10k": 2000}
DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
# Of glibc and CUDA: the other machine's.
ITS_OWN = re.compile(r"^(linux-vdso|ld-linux|lib(c|m|dl|rt|pthread|cudart|cuda))[-.]")
COMPILERS = re.compile(r"^lib(stdc\+\+|gcc_s)\.so")
OPTIONS = ["-DCMAKE_BUILD_TYPE=Release", "-DTW_CUDA=ON", "-DTW_UCX=OFF", "-DTW_TORCH=OFF", "-DTW_TEST_ROOT=.",
           "-DCMAKE_CUDA_RUNTIME_LIBRARY=Shared", "-DZLIB_USE_STATIC_LIBS=ON", "-DCMAKE_SKIP_RPATH=ON",
           "-DCMAKE_GTEST_DISCOVER_TESTS_DISCOVERY_MODE=PRE_TEST"]


def build(root):
    """Returns the build folder."""
    folder = root / "build/gpu-bundle"
    launcher = shutil.which("ccache")
    with_cache = ["-DCMAKE_%s_COMPILER_LAUNCHER=%s" % (language, launcher) for language in ("CXX", "CUDA") if launcher]
    configure = ["cmake", "--fresh", "-S", root, "-B", folder, "-G", "Ninja", *OPTIONS, *with_cache]
    subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
    targets = ["tightwire_cli", "tightwire_train"] + [name for name in machine.PROGRAMS if "tightwire" not in name]
    subprocess.run(["cmake", "--build", folder, "--target", *targets], check=True)
    return folder


def pack(root, folder, programs, data):
    """Fills `folder`, which must not be there or be a bundle; says what it holds. Returns the exit status."""
    if folder.exists() and any(folder.iterdir()) and not (folder / manifest.NAME).exists():
        raise manifest.Refused("--bundle %s: it holds other things; name a folder that is empty or not there" % folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    slice_data(data or DATA, folder / "data")
    archive_programs((programs or build(root)).resolve(), folder / manifest.ARCHIVE)
    for name in ("scripts/gpu-check", "scripts/gpu_check", "tests/golden", "bench/ratios.csv", "bench/peers/topk.py",
                 "LICENSE"):
        copy(root / name, folder / name)
    return manifest.seal(folder, machine.revision_of(root))


def copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, target)


def archive_programs(build_folder, target):
    """Those that were built, stripped, and the libraries that go with them."""
    with tempfile.TemporaryDirectory() as name, tarfile.open(target, "w:xz", preset=6) as archive:
        room, libraries = pathlib.Path(name), {}
        for program, where in machine.PROGRAMS.items():
            built = build_folder / where / program
            if not built.exists():
                print("gpu-check: not packed, since it was not built: %s" % built)
                continue
            subprocess.run(["strip", "-o", room / program, built], check=True)
            libraries.update(libraries_of(built))
            archive.add(room / program, program)
        for library, path in sorted(libraries.items()):
            folder = "fallback/" if COMPILERS.match(library) else "lib/"
            archive.add(os.path.realpath(path), folder + library)


def libraries_of(program):
    """Name and path of those that the other machine may lack."""
    listed = subprocess.run(["ldd", program], check=True, stdout=subprocess.PIPE, text=True).stdout
    found = re.findall(r"^\s*(\S+) => (/\S+)", listed, re.MULTILINE)
    return {name: path for name, path in found if not ITS_OWN.match(name)}


def slice_data(source, target):
    """The first images and labels of each split, in the files' own format: counts are big-endian behind the magic."""
    target.mkdir()
    for split, count in IMAGES.items():
        for kind, sizes in (("images-idx3", 2), ("labels-idx1", 0)):
            name = "%s-%s-ubyte.gz" % (split, kind)
            try:
                whole = gzip.decompress((source / name).read_bytes())
            except FileNotFoundError:
                raise manifest.Refused("no %s in %s; install the Debian package dataset-fashion-mnist, or name the "
                                       "files' folder with --data-dir" % (name, source)) from None
            header = 8 + 4 * sizes
            there, *shape = struct.unpack(">%dI" % (1 + sizes), whole[4:header])
            count = min(count, there)
            bytes_each = shape[0] * shape[1] if shape else 1
            cut = whole[:4] + struct.pack(">I", count) + whole[8:header] + whole[header:header + count * bytes_each]
            (target / name).write_bytes(gzip.compress(cut, mtime=0))
