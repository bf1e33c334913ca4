"""torch.distributed.all_reduce on Gloo, float32 sum: median seconds and bus bandwidth.

One process a rank, with RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT set:  all_reduce.py BYTES REPETITIONS
"""
import json
import statistics
import sys
import time

import torch
import torch.distributed as dist


def main():
    bytes_, repetitions = int(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    ranks = dist.get_world_size()
    tensor = torch.zeros(bytes_ // 4)
    seconds = []
    for repetition in range(repetitions + 3):
        dist.barrier()
        begin = time.perf_counter()
        dist.all_reduce(tensor)
        if repetition >= 3:
            seconds.append(time.perf_counter() - begin)
    median = statistics.median(seconds)
    if dist.get_rank() == 0:
        busbw = bytes_ / median * 2 * (ranks - 1) / ranks / 1e9
        print(json.dumps({"bytes": bytes_, "seconds": median, "busbw_gbps": busbw, "torch": torch.__version__}), flush=True)
    dist.barrier()
    dist.destroy_process_group()


main()
