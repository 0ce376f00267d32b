#!/usr/bin/env python3
"""Small checkpoints in every form that torch.save and safetensors write.

    make_checkpoints.py tests/golden/checkpoints

Values are whole numbers and halves that tests/io_pth.c and tests/io_safetensors.c know by formula:
element i of tensor k is ((7 * i + 3 * k) % 23 - 11) / 2.
Needs torch and safetensors.
"""
import argparse
import collections
import json
import os
import sys

import torch
from safetensors.torch import save_file


def values(k, *shape, kind=torch.float32):
    n = 1
    for s in shape:
        n *= s
    i = torch.arange(n)
    return (((7 * i + 3 * k) % 23 - 11) / 2).reshape(shape).to(kind)


def state_dict():
    d = collections.OrderedDict()
    d["plain"] = values(0, 3, 4)
    d["tied"] = d["plain"]
    d["transposed"] = values(1, 5, 3).t()
    d["slice"] = values(2, 6, 4)[1:5, 1:3]
    d["permuted"] = values(3, 2, 3, 4).permute(2, 0, 1)
    d["bf16"] = values(4, 7, kind=torch.bfloat16)
    d["half"] = values(5, 3, 3, kind=torch.float16)
    d["double"] = values(6, 4, kind=torch.float64)
    d["count"] = torch.tensor(12345678901)
    d["int"] = torch.tensor([-7, 7], dtype=torch.int32)
    d["flags"] = torch.tensor([True, False, True])
    d["bytes"] = torch.tensor([0, 200], dtype=torch.uint8)
    d["short"] = torch.tensor([1, -2], dtype=torch.int16)
    d["empty"] = torch.zeros(0, 4)
    d["scalar"] = torch.tensor(2.5)
    d["parameter"] = torch.nn.Parameter(values(7, 2, 2))
    d._metadata = {"": {"version": 1}}
    return d


def training(state):
    """What training scripts put beside the weights, objects of foreign classes among it."""
    parameter = torch.nn.Parameter(values(8, 3))
    optimizer = torch.optim.AdamW([parameter], lr=1e-3)
    parameter.sum().backward()
    optimizer.step()
    return {"model": state, "optimizer": optimizer.state_dict(), "epoch": 299,
            "args": argparse.Namespace(lr=5e-4, model="deit", betas=(0.9, 0.999), opt=None,
                                       nested=argparse.Namespace(x=[1, 2, {"a": 2 ** 70}])),
            "scaler": {}, "best": 72.25, "names": {"a", "b"}, "negative": -3,
            "large": 70000, "counter": collections.Counter("aab"),
            "default": collections.defaultdict(list, k=[1])}


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    torch.save(training(state_dict()), f"{folder}/training.pth")
    torch.save(training(state_dict()), f"{folder}/training-legacy.pth",
               _use_new_zipfile_serialization=False)
    flat = {"module." + k: v for k, v in state_dict().items()}
    torch.save(flat, f"{folder}/flat.pth")
    torch.save({"weights": dict(a=values(0, 2)), "other": 1}, f"{folder}/odd-key.pth")
    torch.save(values(0, 2), f"{folder}/tensor.pth")
    torch.save({"model": {"a": values(0, 2)}}, f"{folder}/protocol4.pth", pickle_protocol=4)

    contiguous = {k: v.detach().clone().contiguous() for k, v in state_dict().items()}
    save_file(contiguous, f"{folder}/types.safetensors", metadata={"format": "pt", "note": "é"})
    first = {k: contiguous[k] for k in ("plain", "bf16", "count")}
    second = {k: contiguous[k] for k in ("transposed", "half", "double")}
    names = ["sharded-00001-of-00002.safetensors", "sharded-00002-of-00002.safetensors"]
    save_file(first, f"{folder}/{names[0]}")
    save_file(second, f"{folder}/{names[1]}")
    total = sum(v.numel() * v.element_size() for d in (first, second) for v in d.values())
    index = {"metadata": {"total_size": total},
             "weight_map": {**{k: names[0] for k in first}, **{k: names[1] for k in second}}}
    with open(f"{folder}/sharded.safetensors.index.json", "w") as f:
        json.dump(index, f, indent=2)


main()
