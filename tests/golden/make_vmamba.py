#!/usr/bin/env python3
"""Goldens of tiny VMambas, made by the public implementation in double precision.

    make_vmamba.py --vmamba CHECKOUT -o tests/golden

Files as make_networks.py has them: v0 with and without an MLP, v05_noz; odd grids, so that merging
and convolutions meet their padding. vmamba-first.pth: the one with an MLP as training saved it,
beside an average (`model_ema`, halves of it) and an optimiser, under the first release's names,
matrices as convolutions of 1 x 1. vmamba-formula.tsv: logits of the published networks at 224 pixels, whose weights and image follow
from a formula (tests/vmamba_formula.c).
Needs torch, timm, safetensors.
"""
import argparse
import collections
import warnings

import numpy as np
import torch

import make_networks as common
import public_models as public

V0 = dict(patch_size=4, ssm_ratio=2.0, ssm_d_state=3, forward_type="v0", norm_layer="ln",
          downsample_version="v1", patchembed_version="v1")
NOZ = dict(patch_size=4, ssm_d_state=1, ssm_conv_bias=False, forward_type="v05_noz",
           norm_layer="ln2d", downsample_version="v3", patchembed_version="v2")


def fill(model, seed):
    """Weights of the size that training gives, rounded to bfloat16."""
    g = torch.Generator().manual_seed(seed)
    state = {}
    for name, p in model.state_dict().items():
        x = torch.randn(p.shape, generator=g, dtype=torch.float64)
        if name.endswith("A_logs"):
            x = torch.log(torch.arange(1, p.shape[1] + 1, dtype=torch.float64)) + 0.2 * x
        elif name.endswith("Ds") or p.dim() == 1 and name.endswith("weight"):
            x = 1 + 0.2 * x
        elif name.endswith(("x_proj_weight", "dt_projs_weight")):
            x = x * (0.7 / p.shape[-1] ** 0.5)
        elif name.endswith("dt_projs_bias"):
            x = -1 + x
        elif p.dim() > 1:
            x = x * (0.7 / p[0].numel() ** 0.5)
        else:
            x = 0.2 * x
        state[name] = x.to(torch.bfloat16).double()
    model.double().load_state_dict(state)
    return state


def single_precision_off(module, model):
    for m in model.modules():
        if isinstance(m, module.SS2D) and m.forward == m.forwardv0:
            m.forward = module.partial(m.forwardv0, force_fp32=False)


def build(module, **settings):
    model = module.VSSM(num_classes=10, drop_path_rate=0.0, **settings)
    single_precision_off(module, model)
    return model


def golden(path, name, model, image, seed):
    """Taps and tokens as (B, L, C)."""
    state = fill(model, seed)
    model.eval()
    blocks = [b for stage in model.layers for b in stage.blocks]
    out = common.record(model, blocks, model.classifier.norm, common.images(2, image, seed + 1))
    for key, x in out.items():
        if key.startswith("tap.") or key == "tokens":
            x = x.permute(0, 2, 3, 1) if model.channel_first else x
            out[key] = x.flatten(1, 2)
    common.save(path, name, state, out)
    return state


RENAMED = (("patch_embed.0", "patch_embed.proj"), ("patch_embed.2", "patch_embed.norm"),
           (".norm.", ".ln_1."), (".op.", ".self_attention."), ("classifier.", ""))


def legacy_name(name):
    for ours, first in RENAMED:
        if name.startswith("patch_embed.") or not ours.startswith("patch_embed."):
            if ours != ".norm." or ".blocks." in name:
                name = name.replace(ours, first)
    return name


def legacy(path, state):
    old = collections.OrderedDict()
    for k, v in state.items():
        is_map = v.dim() == 2 and k.split(".")[-2] in ("in_proj", "out_proj", "fc1", "fc2")
        v = v.to(torch.bfloat16)
        old[legacy_name(k)] = v[:, :, None, None] if is_map else v
    average = collections.OrderedDict((k, v / 2) for k, v in old.items())
    torch.save(dict(model=old, model_ema=average, epoch=292, max_accuracy=82.2,
                    optimizer=dict(state={}, param_groups=[dict(lr=1e-3)]),
                    config=argparse.Namespace(name="vssm_tiny")), f"{path}/vmamba-first.pth")


FULL = {"vmamba-t": None, "vmamba-v0-t": "vanilla_vmamba_tiny",
        "vmamba-t-s2l5": "vmamba_tiny_s2l5", "vmamba-t-s1l8": "vmamba_tiny_s1l8"}


def formula(tensor, count):
    """In [-1, 1): a hash of the element's number and the tensor's."""
    x = np.arange(count, dtype=np.uint32) + np.uint32(7919 * tensor + 1)
    for _ in range(2):
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x45d9f3b)
    x ^= x >> np.uint32(16)
    return torch.from_numpy(x / 2.0 ** 31 - 1)


def formula_state(model):
    state = {}
    for j, (name, p) in enumerate(model.state_dict().items()):
        x = formula(j, p.numel()).reshape(p.shape)
        if name.endswith("A_logs"):
            x = 0.1 * x + torch.log(torch.arange(1, p.shape[1] + 1, dtype=torch.float64))
        elif name.endswith("dt_projs_bias"):
            x = x - 2
        elif p.dim() == 1:
            x = 0.1 * x + (1 if name.endswith("weight") or name.endswith("Ds") else 0)
        else:
            x = x / (p.shape[-1] if p.dim() == 3 else p[0].numel()) ** 0.5
        state[name] = x
    return state


def full(path, module):
    with open(f"{path}/vmamba-formula.tsv", "w") as f:
        for name, function in FULL.items():
            if function:
                model = getattr(module, function)()
            else:
                model = module.VSSM(num_classes=100, depths=[2, 2, 9, 2], dims=128,
                                    mlp_ratio=0.0, **dict(V0, ssm_d_state=16))
            single_precision_off(module, model)
            model.double().load_state_dict(formula_state(model))
            model.eval()
            x = formula(1000, 3 * 224 * 224).reshape(1, 224, 224, 3).permute(0, 3, 1, 2)
            with torch.no_grad():
                y = model(x)[0]
            print(name, *(f"{v:.12g}" for v in y[:10].tolist()), sep="\t", file=f, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--vmamba", required=True, help="checkout of the public code")
    parser.add_argument("--full", action="store_true", help="the published sizes alone")
    parser.add_argument("-o", required=True)
    a = parser.parse_args()
    warnings.simplefilter("ignore")
    public.as_double()
    module = public.load_vmamba(a.vmamba)
    if a.full:
        return full(a.o, module)
    golden(a.o, "vmamba-tiny", build(module, depths=[1, 1, 2, 1], dims=8, mlp_ratio=0.0, **V0),
           28, 41)
    legacy(a.o, golden(a.o, "vmamba-mlp-tiny",
                       build(module, depths=[1, 1, 1, 1], dims=4, mlp_ratio=2.0, **V0), 32, 43))
    golden(a.o, "vmamba-noz-tiny",
           build(module, depths=[1, 1, 2, 1], dims=8, ssm_ratio=1.0, mlp_ratio=2.0, **NOZ), 20, 45)


if __name__ == "__main__":
    main()
