"""Vision Mamba's public code, loaded so that it runs on a CPU without its compiled extensions.

From a checkout of github.com/hustvl/Vim. Network and mixer are imported as they are; what stands in
for compiled code is below: the fused norm with its residual, and one direction of the mixer between
the input and the output projection.
"""
import importlib
import sys

import torch
from torch import nn
import torch.nn.functional as F

import public_models as public


def rearrange(x, pattern, **sizes):
    """The patterns that the mixer uses."""
    pattern = " ".join(pattern.split())
    if pattern == "b l d -> d (b l)":
        return x.permute(2, 0, 1).flatten(1)
    if pattern == "d (b l) -> b d l":
        return x.reshape(x.shape[0], -1, sizes["l"]).transpose(0, 1)
    assert pattern == "b d l -> b l d", pattern
    return x.transpose(1, 2)


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-5, device=None, dtype=None):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))
        self.register_parameter("bias", None)

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


class Normed(nn.Module):
    """A place for hooks: what the fused norm gives passes through."""

    def forward(self, x):
        return x


normed = Normed()


def fused(norm):
    def call(x, weight, bias, eps, residual=None, prenorm=False, residual_in_fp32=False):
        stream = x if residual is None else x + residual
        y = norm(stream, weight, bias, eps)
        return (y, stream) if prenorm else normed(y)
    return call


def rms(x, weight, bias, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


def layer(x, weight, bias, eps):
    return F.layer_norm(x, x.shape[-1:], weight, bias, eps)


def inner(xz, conv_weight, conv_bias, x_proj, dt_proj, A, B, C, D, delta_bias, delta_softplus):
    """xz (b, 2 d, l) -> the gated scan (b, d, l), in the order of the tokens given."""
    assert B is None and C is None and delta_softplus
    x, z = xz.chunk(2, 1)
    u = F.silu(F.conv1d(F.pad(x, (conv_weight.shape[-1] - 1, 0)), conv_weight, conv_bias,
                        groups=x.shape[1]))
    n = A.shape[1]
    r, B, C = (u.transpose(1, 2) @ x_proj.t()).split([dt_proj.shape[1], n, n], -1)
    y = public.selective_scan(u, (r @ dt_proj.t()).transpose(1, 2), A, B.transpose(1, 2),
                              C.transpose(1, 2), D, delta_bias=delta_bias, delta_softplus=True)
    return y * F.silu(z)


def load_vim(checkout):
    """The module of Vision Mamba's networks."""
    stub = public.stub
    stub("einops", rearrange=rearrange, repeat=public.repeat)
    stub("causal_conv1d", causal_conv1d_fn=None, causal_conv1d_update=None)
    stub("mamba_ssm", [f"{checkout}/mamba-1p1p1/mamba_ssm"])
    stub("mamba_ssm.modules", [f"{checkout}/mamba-1p1p1/mamba_ssm/modules"])
    stub("mamba_ssm.ops")
    stub("mamba_ssm.ops.selective_scan_interface", selective_scan_fn=None, mamba_inner_fn=None,
         bimamba_inner_fn=None, mamba_inner_fn_no_out_proj=inner)
    stub("mamba_ssm.ops.triton")
    stub("mamba_ssm.ops.triton.layer_norm", RMSNorm=RMSNorm, rms_norm_fn=fused(rms),
         layer_norm_fn=fused(layer))
    stub("mamba_ssm.utils")
    stub("mamba_ssm.utils.generation", GenerationMixin=object)
    stub("mamba_ssm.utils.hf", load_config_hf=None, load_state_dict_hf=None)
    sys.path.insert(0, f"{checkout}/vim")
    return importlib.import_module("models_mamba")


def published(module, **changes):
    """The published networks' settings, with changes."""
    return module.VisionMamba(rms_norm=changes.pop("rms_norm", True), residual_in_fp32=True,
                              fused_add_norm=True, final_pool_type="mean", if_abs_pos_embed=True,
                              if_rope=False, if_rope_residual=False, bimamba_type="v2",
                              if_cls_token=True, if_divide_out=True, use_middle_cls_token=True,
                              drop_path_rate=0, **changes)
