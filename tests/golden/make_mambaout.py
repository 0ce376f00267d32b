#!/usr/bin/env python3
"""Goldens of MambaOut, made by timm in double precision.

    make_mambaout.py -o tests/golden

mambaout-tiny as make_networks.py has its networks, on grids of 9, 5, 3 and 2. mambaout-first.pth: the
same weights under the names of the first code, in bfloat16; timm's own renaming gives them back.
"""
import argparse
import re

import torch
from timm.models import mambaout

import make_networks as networks
import public_models as public


def first_names(state):
    out = {}
    for name, x in state.items():
        name = re.sub(r"^head\.fc\.", "head.fc2.", name)
        name = re.sub(r"^head\.norm\.", "norm.", name)
        name = name.replace("head.pre_logits.fc.", "head.fc1.").replace("pre_logits.", "")
        name = re.sub(r"^stem\.", "downsample_layers.0.", name)
        name = re.sub(r"^stages\.(\d)\.downsample", r"downsample_layers.\1", name)
        out[re.sub(r"^stages\.(\d)\.blocks\.", r"stages.\1.", name)] = x
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-o", required=True)
    a = parser.parse_args()
    public.as_double()
    model = mambaout.MambaOut(num_classes=10, depths=(1, 1, 2, 1), dims=(6, 12, 24, 36))
    state = networks.fill(model, 71)
    blocks = [b for stage in model.stages for b in stage.blocks]
    out = networks.record(model, blocks, model.stages, networks.images(2, 36, 72))
    out["tokens"] = out["tokens"].clone()  # the last tap is the same tensor
    networks.save(a.o, "mambaout-tiny", state, out)
    first = {k: v.to(torch.bfloat16) for k, v in first_names(state).items()}
    back = mambaout.checkpoint_filter_fn(first, model)
    assert back.keys() == state.keys() and all((back[k].double() == state[k]).all() for k in back)
    torch.save({"model": first}, f"{a.o}/mambaout-first.pth")


if __name__ == "__main__":
    main()
