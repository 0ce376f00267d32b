#!/usr/bin/env python3
"""The same training step as step.c, in PyTorch and timm: step.py ARCH BATCH [RUNS] [THREADS]"""
import sys
import time

try:
    import timm
    import torch
except ImportError as missing:
    sys.exit(f"step.py: skipped: {missing}")

NAMES = {"deit-t": "deit_tiny_patch16_224", "deit-s": "deit_small_patch16_224", "deit-b": "deit_base_patch16_224"}


def main():
    arch, batch = sys.argv[1], int(sys.argv[2])
    if arch not in NAMES:
        sys.exit(f"step.py: skipped: no peer of {arch} is known here")
    runs = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    torch.set_num_threads(int(sys.argv[4]) if len(sys.argv) > 4 else 2)
    model = timm.create_model(NAMES[arch]).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    images = torch.randn(batch, 3, 224, 224)
    labels = torch.randint(0, 1000, (batch,))
    best = float("inf")
    for _ in range(runs + 1):
        start = time.time()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimizer.step()
        best = min(best, time.time() - start)
    print("network\tbatch\tmilliseconds\timages_per_s\tversion")
    print(f"{arch}\t{batch}\t{best * 1e3:.3f}\t{batch / best:.1f}\ttorch {torch.__version__}")


main()
