"""The public implementations, loaded so that they run on a CPU without their compiled extensions.

PlainMamba comes from a checkout of github.com/ChenhongyiYang/PlainMamba, VMamba from one of
github.com/MzeroMiko/VMamba, the TransMamba release from one of github.com/chen-xw/TransMamba-main.
Their modules are imported as they are; what they need of mmcv, mamba_ssm and others is stood in for
by the few functions below. DeiT is timm's.
"""
import contextlib
import importlib
import importlib.util
import sys
import types

import torch
from torch import nn
import torch.nn.functional as F


def selective_scan(u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False,
                   return_last_state=False):
    """Mamba's recurrence, step by step. u, delta (b, d, l); A (d, n); B, C (b, n, l); D (d)."""
    assert z is None and not return_last_state
    delta = delta + delta_bias[None, :, None]
    if delta_softplus:
        delta = F.softplus(delta)
    h = u.new_zeros(u.shape[0], u.shape[1], A.shape[1])
    out = []
    for t in range(u.shape[2]):
        step = delta[:, :, t, None]
        h = torch.exp(step * A) * h + step * B[:, None, :, t] * u[:, :, t, None]
        out.append((h * C[:, None, :, t]).sum(-1))
    return torch.stack(out, -1) + D[None, :, None] * u


class AdaptivePadding(nn.Module):
    def __init__(self, kernel_size, stride, dilation, padding):
        super().__init__()
        self.kernel, self.stride = kernel_size, stride

    def get_pad_shape(self, shape):
        return tuple(max((-(-n // s) - 1) * s + k - n, 0)
                     for n, k, s in zip(shape, self.kernel, self.stride))

    def forward(self, x):
        h, w = self.get_pad_shape(x.shape[-2:])
        return F.pad(x, [0, w, 0, h])


class Base(nn.Module):
    def __init__(self, init_cfg=None):
        super().__init__()
        self.init_cfg = init_cfg


class Registry:
    def register_module(self):
        return lambda cls: cls


def build_norm_layer(cfg, dim, postfix=""):
    return f"ln{postfix}", nn.LayerNorm(dim, eps=cfg["eps"])


def build_dropout(cfg):
    assert not cfg["drop_prob"]
    return nn.Identity()


def to_2tuple(x):
    return x if isinstance(x, (tuple, list)) else (x, x)


def repeat(x, pattern, **sizes):
    assert pattern.replace(" ", "") == "n->dn" and list(sizes) == ["d"]
    return x[None, :].expand(sizes["d"], -1)


def trunc_normal_(x, std):
    return nn.init.trunc_normal_(x, std=std)


def stub(name, path=None, **members):
    module = types.ModuleType(name)
    module.__dict__.update(members)
    module.__path__ = path or []
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)


def install_stubs():
    stub("einops", repeat=repeat)
    stub("mmcv")
    stub("mmcv.cnn", build_norm_layer=build_norm_layer, build_conv_layer=None)
    stub("mmcv.cnn.utils")
    stub("mmcv.cnn.utils.weight_init", trunc_normal_=trunc_normal_)
    stub("mmcv.cnn.bricks")
    stub("mmcv.cnn.bricks.transformer", AdaptivePadding=AdaptivePadding,
         build_dropout=build_dropout)
    stub("mmcv.runner", BaseModule=Base)
    stub("mmcv.runner.base_module", BaseModule=Base, ModuleList=nn.ModuleList)
    stub("mmcv.utils", to_2tuple=to_2tuple, digit_version=lambda v: v)
    stub("mamba_ssm")
    stub("mamba_ssm.ops")
    stub("mamba_ssm.ops.selective_scan_interface", selective_scan_fn=selective_scan)
    stub("mamba_ssm.ops.triton")
    stub("mamba_ssm.ops.triton.layernorm", RMSNorm=None)


def remove_stubs():
    """Before other packages are imported, which look for the real ones."""
    for name in [n for n in sys.modules if n.split(".")[0] in ("einops", "fvcore", "mmcv", "mamba_ssm")]:
        del sys.modules[name]


def load_plainmamba(checkout):
    """The module of PlainMamba's backbone."""
    install_stubs()
    stub("mmcls")
    stub("mmcls.models")
    stub("mmcls.models.builder", BACKBONES=Registry(), NECKS=Registry())
    stub("mmcls.models.utils", [f"{checkout}/mmcls/models/utils"], to_2tuple=to_2tuple)
    embed = importlib.import_module("mmcls.models.utils.embed")
    sys.modules["mmcls.models.utils"].resize_pos_embed = embed.resize_pos_embed
    stub("mmcls.models.backbones", [f"{checkout}/mmcls/models/backbones"])
    importlib.import_module("mmcls.models.backbones.base_backbone")
    dev = f"{checkout}/mmcls/plain_mamba_dev"
    stub("mmcls.plain_mamba_dev")
    stub("mmcls.plain_mamba_dev.models")
    stub("mmcls.plain_mamba_dev.models.modules", [f"{dev}/models/modules"])
    stub("mmcls.plain_mamba_dev.models.plain_mamba", [f"{dev}/models/plain_mamba"])
    return importlib.import_module("mmcls.plain_mamba_dev.models.plain_mamba.plain_mamba")


def load_transmamba(checkout):
    """The module of the TransMamba release's PlainMamba."""
    install_stubs()
    sys.path.insert(0, checkout)
    return importlib.import_module("Plainmamba.plain_mamba")


class Doubled(types.ModuleType):
    """torch, whose float is double: VMamba's code casts by name and asserts it."""

    def __getattr__(self, name):
        return torch.float64 if name in ("float", "float32") else getattr(torch, name)


def load_vmamba(checkout, double=True):
    """The module of VMamba's models; its scan falls back to a loop in PyTorch by itself."""
    stub("einops", repeat=None, rearrange=None)
    stub("fvcore")
    stub("fvcore.nn", FlopCountAnalysis=None, flop_count_str=None, flop_count=None,
         parameter_count=None)
    torch.cuda.device = lambda device: contextlib.nullcontext()  # entered on a CPU, too
    sys.path.insert(0, f"{checkout}/classification/models")
    module = importlib.import_module("vmamba")
    if double:
        module.torch = sys.modules["csms6s"].torch = Doubled("torch")
    remove_stubs()
    return module


class Classifier(nn.Module):
    """mmcls' ImageClassifier with PlainMamba's configuration: backbone, mean over tokens, head.fc."""

    def __init__(self, backbone, dim, classes):
        super().__init__()
        self.backbone = backbone
        self.head = nn.Module()
        self.head.fc = nn.Linear(dim, classes)

    def forward(self, x):
        tokens, _ = self.backbone(x)
        self.tokens = tokens
        return self.head.fc(tokens.mean(1))


def set_mode(model, training):
    """BaseBackbone.train returns None, so that model.train() cannot walk through it."""
    for m in model.modules():
        m.training = training


def mamba_config(state):
    return {"use_rms_norm": False,
            "mamba_cfg": {"d_state": state, "expand": 2, "conv_size": 7, "dt_init": "random",
                          "conv_bias": True, "bias": True}}


def as_double():
    """The modules cast A, D and the step's bias to float: with this they stay as they are."""
    torch.Tensor.float = lambda self: self
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
