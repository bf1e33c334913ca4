"""PyTorch DistributedDataParallel on Gloo doing the demo's work: same model, data, batch and optimiser.

One process a rank, with RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT and GLOO_SOCKET_IFNAME set and OMP_NUM_THREADS=1:
    ddp.py fp32|fp16|bf16|powersgd|noop STEPS
`noop` leaves gradients local: the floor. PowerSGD (rank 1) runs in one bucket, as its warm-up needs. Rank 0 prints one
line of JSON: median step seconds without the first five steps, and test accuracy.
"""
import gzip
import json
import sys
import time

import numpy as np
import torch
import torch.distributed as dist
from torch.distributed.algorithms.ddp_comm_hooks import debugging_hooks, default_hooks, powerSGD_hook
from torch.nn.parallel import DistributedDataParallel

DATA = "/usr/share/datasets/fashion-mnist/"
BATCH = 64


def load(name):
    images = np.frombuffer(gzip.open(f"{DATA}{name}-images-idx3-ubyte.gz").read(), np.uint8, offset=16)
    labels = np.frombuffer(gzip.open(f"{DATA}{name}-labels-idx1-ubyte.gz").read(), np.uint8, offset=8)
    pixels = torch.from_numpy(images.copy()).reshape(-1, 784).float() / 255
    return (pixels - 0.286) / 0.353, torch.from_numpy(labels.copy()).long()


def register(ddp, hook):
    if hook in ("fp16", "bf16"):
        ddp.register_comm_hook(None, getattr(default_hooks, f"{hook}_compress_hook"))
    elif hook == "noop":
        ddp.register_comm_hook(None, debugging_hooks.noop_hook)
    elif hook == "powersgd":
        state = powerSGD_hook.PowerSGDState(None, 1, start_powerSGD_iter=2, min_compression_rate=1)
        ddp.register_comm_hook(state, powerSGD_hook.powerSGD_hook)
    elif hook != "fp32":
        sys.exit(f"unknown hook '{hook}'; known: fp32, fp16, bf16, powersgd, noop")


def main():
    hook, steps = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    dist.init_process_group("gloo")
    rank, ranks = dist.get_rank(), dist.get_world_size()
    images, labels = load("train")
    model = torch.nn.Sequential(
        torch.nn.Linear(784, 2048), torch.nn.ReLU(), torch.nn.Linear(2048, 2048), torch.nn.ReLU(), torch.nn.Linear(2048, 10)
    )
    ddp = DistributedDataParallel(model, bucket_cap_mb=400 if hook == "powersgd" else 25)
    register(ddp, hook)
    optimizer = torch.optim.SGD(ddp.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))
    seconds = []
    for step in range(steps):
        pick = order[(torch.arange(BATCH) + (step * ranks + rank) * BATCH) % len(labels)]
        begin = time.perf_counter()
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(ddp(images[pick]), labels[pick])
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - begin)
    if rank == 0:
        test_images, test_labels = load("t10k")
        with torch.no_grad():
            accuracy = (model(test_images).argmax(1) == test_labels).float().mean().item()
        print(
            json.dumps(
                {
                    "hook": hook,
                    "step_seconds_median": float(np.median(seconds[5:])),
                    "test_accuracy": accuracy,
                    "final_loss": loss.item(),
                    "torch": torch.__version__,
                }
            ),
            flush=True,
        )
    dist.barrier()
    dist.destroy_process_group()


main()
