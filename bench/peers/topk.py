"""torch.topk of magnitudes, on one thread or a GPU: input bytes a second.

    topk.py COUNT RATIO gaussian|laplace|ties|sparse [cpu|cuda]
"""
import json
import statistics
import sys
import time

import torch


def sample(count, family):
    torch.manual_seed(0)
    if family == "gaussian":
        return torch.randn(count)
    if family == "laplace":
        uniform = torch.rand(count) - 0.5
        return -uniform.sign() * torch.log1p(-2 * uniform.abs())
    if family == "ties":
        return torch.randint(0, 16, (count,)).float()
    if family == "sparse":
        return torch.randn(count) * (torch.rand(count) < 0.001)
    sys.exit(f"unknown data '{family}'; known: gaussian, laplace, ties, sparse")


def main():
    count, ratio, family, device = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], (sys.argv[4:] + ["cpu"])[0]
    torch.set_num_threads(1)
    magnitudes = sample(count, family).abs().to(device)
    finish = torch.cuda.synchronize if device == "cuda" else lambda: None
    k = round(ratio * count)
    seconds = []
    for _ in range(4 if device == "cpu" else 20):
        finish()
        begin = time.perf_counter()
        torch.topk(magnitudes, k, sorted=False)
        finish()
        seconds.append(time.perf_counter() - begin)
    median = statistics.median(seconds[1:])
    print(json.dumps({"count": count, "k": k, "data": family, "device": device, "torch": torch.__version__,
                      "seconds": median, "gbps": 4 * count / median / 1e9}))


main()
