#!/usr/bin/env python3
"""Goldens of Vision Mamba, made by the public implementation in double precision.

    make_vim.py --vim CHECKOUT -o tests/golden

vim-tiny, vim-plus-tiny (overlapping patches) and vim-mlp-tiny (LayerNorms and an MLP, which
TransMamba adds) as make_networks.py has them. vim-micro.pth is what the project's training saves:
model, model_ema, optimizer, ...; of one layer. vim-formula.tsv: ten logits of the published sizes,
224 pixels, 100 classes, whose weights and image are given by formula (see `formula`).
"""
import argparse

import torch
from torch import nn

import make_networks as networks
import public_models as public
import public_vim as vim


def record(model, x):
    return networks.record(model, model.layers, vim.normed, x, lambda y: y[0] + y[1])


def tiny(path, name, module, seed, **changes):
    settings = dict(img_size=40, patch_size=8, stride=8, depth=2, embed_dim=24, num_classes=10)
    model = vim.published(module, **{**settings, **changes})
    state = networks.fill(model, seed)
    x = networks.images(2, model.patch_embed.img_size[0], seed + 1)
    networks.save(path, name, state, record(model, x))


def added_mlp(path, name, module):
    model = vim.published(module, img_size=32, patch_size=8, stride=8, depth=2, embed_dim=32,
                          d_state=8, num_classes=10, rms_norm=False)
    model.norm_f.eps = 1e-6
    for layer in model.layers:
        layer.norm2, layer.mlp = nn.LayerNorm(32, eps=1e-6), networks.Mlp(32, 64)

        def forward(x, residual=None, inference_params=None, layer=layer):
            x = x if residual is None else x + residual
            x = x + layer.mixer(layer.norm(x))
            return layer.mlp(layer.norm2(x)), x
        layer.forward = forward
    networks.save(path, name, networks.fill(model, 45), record(model, networks.images(2, 32, 46)))


def checkpoint(path, module):
    """As main.py saves it, with the averages and all; float32 would be larger."""
    model = vim.published(module, img_size=24, patch_size=8, stride=8, depth=1, embed_dim=32,
                          d_state=8, num_classes=10)
    state = {k: v.to(torch.bfloat16) for k, v in networks.fill(model, 47).items()}
    averages = {k: v.to(torch.bfloat16) for k, v in networks.fill(model, 48).items()}
    optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(3))], lr=1e-3)
    torch.save({"model": state, "optimizer": optimizer.state_dict(), "lr_scheduler": {},
                "epoch": 299, "model_ema": averages, "scaler": "none",
                "args": argparse.Namespace(model="vim_tiny", lr=5e-4)}, f"{path}/vim-micro.pth")


def wave(count, j):
    i = torch.arange(count, dtype=torch.float64)
    return torch.sin(0.7 * i + j + 1e-4 * i * i)


def formula(module, dim):
    model = vim.published(module, img_size=224, patch_size=16, stride=16, depth=24, embed_dim=dim,
                          num_classes=100)
    return formula_logits(model, (3, 224, 224))


def formula_logits(model, shape):
    """Tensor j of the state dict, w = sin(0.7 i + j + 1e-4 i^2): matrices 1.5 w / sqrt(fan in), vectors
    0.1 w, and 1 more of D and the norms' weights; A_log 0.1 w + ln(n + 1). Value i of the input, (3,
    224, 224) or of a clip (3, T, 224, 224): w of j = 0. The logits of classes 0, 10, ..., 90."""
    state = {}
    for j, (name, p) in enumerate(model.state_dict().items()):
        x = wave(p.numel(), j).reshape(p.shape)
        if name.endswith("_log"):
            x = 0.1 * x + torch.log(torch.arange(1, p.shape[1] + 1, dtype=torch.float64))
        elif p.dim() > 1:
            x = 1.5 * x / p[0].numel() ** 0.5
        else:
            x = 0.1 * x + (1 if name.endswith((".D", ".D_b", "norm.weight", "norm_f.weight")) else 0)
        state[name] = x
    model.double().load_state_dict(state)
    with torch.no_grad():
        return model(wave(torch.Size(shape).numel(), 0).reshape(1, *shape))[0, ::10].tolist()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--vim", required=True, help="checkout of the public code")
    parser.add_argument("-o", required=True)
    a = parser.parse_args()
    public.as_double()
    module = vim.load_vim(a.vim)
    tiny(a.o, "vim-tiny", module, 41)
    tiny(a.o, "vim-plus-tiny", module, 43, img_size=20, stride=4, depth=1)
    added_mlp(a.o, "vim-mlp-tiny", module)
    checkpoint(a.o, module)
    with open(f"{a.o}/vim-formula.tsv", "w") as f:
        for arch, dim in (("vim-t", 192), ("vim-s", 384)):
            print(arch, *(f"{x:.12g}" for x in formula(module, dim)), sep="\t", file=f)


if __name__ == "__main__":
    main()
