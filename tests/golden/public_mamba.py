"""Mamba's public language model, loaded so that it runs on a CPU without its compiled extensions.

From a checkout of github.com/state-spaces/mamba. Network, mixer (its slow path and its step) and the
reference scan are imported as they are; einops and the fused norm are stood in for below.
"""
import importlib
import math
import sys

import torch
from torch import nn

import public_models as public


def axes(side):
    """"b (l d)" -> [["b"], ["l", "d"]]"""
    out, group = [], None
    for word in side.replace("(", " ( ").replace(")", " ) ").split():
        if word == "(":
            group = []
        elif word == ")":
            out.append(group)
            group = None
        elif group is None:
            out.append([word])
        else:
            group.append(word)
    return out


def rearrange(x, pattern, **sizes):
    left, right = map(axes, pattern.split("->"))
    for group, n in zip(left, x.shape):
        unknown = [a for a in group if a not in sizes and a != "1"]
        known = math.prod(sizes.get(a, 1) for a in group)
        assert len(unknown) <= 1
        for a in unknown:
            sizes[a] = n // known
    names = [a for g in left for a in g if a != "1"]
    order = [a for g in right for a in g if a != "1"]
    x = x.reshape([sizes[a] for a in names]).permute([names.index(a) for a in order])
    return x.reshape([math.prod(sizes.get(a, 1) for a in g) for g in right])


def repeat(x, pattern, **sizes):
    assert pattern == "n -> d n"
    return x[None, :].expand(sizes["d"], -1)


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-5, device=None, dtype=None):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


def load_mamba(checkout, scan=None):
    """The module of MambaLMHeadModel; scan: instead of the public reference loop."""
    stub, root = public.stub, f"{checkout}/mamba_ssm"
    stub("einops", rearrange=rearrange, repeat=repeat)
    stub("mamba_ssm", [root])
    stub("mamba_ssm.ops", [f"{root}/ops"])
    stub("mamba_ssm.ops.triton")
    stub("mamba_ssm.ops.triton.layer_norm", RMSNorm=RMSNorm, layer_norm_fn=None, rms_norm_fn=None,
         _layer_norm_fwd=None)
    stub("mamba_ssm.modules", [f"{root}/modules"])
    for name in ("Mamba2", "Mamba3"):
        stub(f"mamba_ssm.modules.{name.lower()}", **{name: None})
    stub("mamba_ssm.modules.mha", MHA=None)
    stub("mamba_ssm.models", [f"{root}/models"])
    stub("mamba_ssm.utils")
    stub("mamba_ssm.utils.torch", custom_bwd=lambda f: f, custom_fwd=lambda f: f)
    stub("mamba_ssm.utils.generation", GenerationMixin=object)
    stub("mamba_ssm.utils.hf", load_config_hf=None, load_state_dict_hf=None)
    ops = importlib.import_module("mamba_ssm.ops.selective_scan_interface")
    ops.selective_scan_fn = scan or ops.selective_scan_ref
    return importlib.import_module("mamba_ssm.models.mixer_seq_simple")


def published(module, dim, depth, vocabulary, **ssm):
    """The published networks' settings. In double the stream stays as it is."""
    config = sys.modules["mamba_ssm.models.config_mamba"].MambaConfig(
        d_model=dim, n_layer=depth, vocab_size=vocabulary, ssm_cfg=ssm, rms_norm=True,
        residual_in_fp32=False, fused_add_norm=False)
    return module.MambaLMHeadModel(config)


class Generation:
    """What the public code hands from call to call."""

    def __init__(self):
        self.seqlen_offset, self.key_value_memory_dict = 0, {}
