#!/usr/bin/env python3
"""Goldens of VideoMamba, made by the public implementation in double precision.

    make_videomamba.py --videomamba CHECKOUT -o tests/golden

videomamba-tiny (images), videomamba-clip-tiny (clips of three frames) and videomamba-mlp-tiny (two
frames, LayerNorms and an MLP, which TransMamba adds) as make_networks.py has them; a clip's `input`
is (B, 3, T, S, S). videomamba-formula.tsv: ten logits of the published sizes, 224 pixels, 100
classes, by make_vim.py's formula; the column after the name says how many frames.
videomamba-micro.pth: a clip network of two frames as its training saves it, videomamba-pretrain.pth
and videomamba-retrieval.pth the same weights as masked pre-training's encoder (no head; a decoder)
and within the retrieval model, as DeepSpeed nests them. videomamba-resized.safetensors: positions of
videomamba-micro.pth resized by the project's loader for 5 frames on a grid of 2.
"""
import argparse
import tempfile

import torch
from torch import nn
from safetensors.torch import save_file

import make_networks as networks
import make_vim
import public_models as public
import public_videomamba as videomamba
import public_vim as vim

TINY = dict(img_size=24, patch_size=8, depth=2, embed_dim=24, num_classes=10)


def images(batch, size, seed, frames):
    x = networks.images(batch * max(frames, 1), size, seed)
    return x.reshape(batch, frames, 3, size, size).transpose(1, 2) if frames else x


def record(path, name, model, seed, frames):
    state = networks.fill(model, seed)
    x = images(2, model.patch_embed.img_size[0], seed + 1, frames)
    out = networks.record(model, model.layers, vim.normed, x, lambda y: y[0] + y[1])
    networks.save(path, name, state, out)


def added_mlp(path, name, module):
    model = videomamba.published(module, frames=2, rms_norm=False,
                                 **{**TINY, "embed_dim": 32, "ssm_cfg": {"d_state": 8}})
    model.norm_f.eps = 1e-6
    for layer in model.layers:
        layer.norm2, layer.mlp = nn.LayerNorm(32, eps=1e-6), networks.Mlp(32, 64)

        def forward(x, residual=None, inference_params=None, layer=layer):
            x = x if residual is None else x + residual
            x = x + layer.mixer(layer.norm(x))
            return layer.mlp(layer.norm2(x)), x
        layer.forward = forward
    record(path, name, model, 65, 2)


def half(state):
    return {k: v.to(torch.bfloat16) for k, v in state.items()}


def checkpoints(path, module, retrieval):
    """One layer; positions as the loader resizes them for clips of five frames of 16 pixels."""
    micro = {**TINY, "depth": 1, "embed_dim": 32, "ssm_cfg": {"d_state": 8}}
    state = half(networks.fill(videomamba.published(module, frames=2, **micro), 67))
    averages = {k: v / 2 for k, v in state.items()}
    optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(3))], lr=1e-3)
    torch.save({"model": state, "optimizer": optimizer.state_dict(), "epoch": 49, "scaler": {},
                "args": argparse.Namespace(model="videomamba_tiny"), "model_ema": averages},
               f"{path}/videomamba-micro.pth")
    torch.save(inner_names(state, retrieval), f"{path}/videomamba-pretrain.pth")
    whole = {"vision_encoder." + k: v for k, v in inner_names(state, retrieval).items()}
    for name, shape in (("temp", ()), ("text_encoder.bert.encoder.layer.0.output.dense.bias", (4,)),
                        ("vision_proj.weight", (8, 32)), ("text_proj.bias", (8,)),
                        ("itm_head.weight", (2, 4)), ("vision_encoder.pool_norm.bias", (32,))):
        whole[name] = torch.zeros(shape, dtype=torch.bfloat16)
    torch.save({"module": whole, "epoch": 9}, f"{path}/videomamba-retrieval.pth")
    model = encoder(retrieval, img_size=16, num_frames=5)
    with tempfile.NamedTemporaryFile() as f:
        torch.save({"model": {k: v.double() for k, v in state.items()}}, f.name)
        retrieval.load_state_dict(f.name, model, 2, 5)
    save_file({k: getattr(model, k).detach().clone()
               for k in ("pos_embed", "temporal_pos_embedding")},
              f"{path}/videomamba-resized.safetensors")


def encoder(retrieval, **changes):
    return retrieval.PretrainVideoMamba(**{**dict(
        img_size=24, patch_size=8, depth=1, embed_dim=32, ssm_cfg={"d_state": 8}, num_frames=2,
        clip_decoder_embed_dim=32, clip_output_dim=4, add_pool_norm=False), **changes})


def inner_names(state, retrieval):
    """The classifier's weights under the names of the encoder, whose head is another."""
    inner = {k: v.to(torch.bfloat16) for k, v in encoder(retrieval).state_dict().items()}
    for k, v in state.items():
        if not k.startswith("head."):
            inner[k.replace("norm_f.", "norm.")] = v
    assert set(inner) == set(encoder(retrieval).state_dict())
    return inner


def formula(module, dim, depth, frames):
    settings = dict(img_size=224, patch_size=16, depth=depth, embed_dim=dim, num_classes=100)
    model = videomamba.published(module, frames=frames, **settings)
    return make_vim.formula_logits(model, (3, frames, 224, 224) if frames else (3, 224, 224))


FULL = (("videomamba-t", 192, 24, 0), ("videomamba-s", 384, 24, 0), ("videomamba-m", 576, 32, 0),
        ("videomamba-t", 192, 24, 2), ("videomamba-m", 576, 32, 8))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--videomamba", required=True, help="checkout of the public code")
    parser.add_argument("--full", action="store_true", help="the published sizes alone")
    parser.add_argument("-o", required=True)
    a = parser.parse_args()
    public.as_double()
    torch.manual_seed(1)
    picture, clip, retrieval = (videomamba.load(a.videomamba, name)
                                for name in ("image_sm", "video_sm", "video_mm"))
    if a.full:
        with open(f"{a.o}/videomamba-formula.tsv", "w") as f:
            for arch, dim, depth, frames in FULL:
                logits = formula(clip if frames else picture, dim, depth, frames)
                print(arch, frames, *(f"{x:.12g}" for x in logits), sep="\t", file=f, flush=True)
        return
    record(a.o, "videomamba-tiny", videomamba.published(picture, **{**TINY, "img_size": 40}), 61, 0)
    record(a.o, "videomamba-clip-tiny", videomamba.published(clip, frames=3, **TINY), 63, 3)
    added_mlp(a.o, "videomamba-mlp-tiny", clip)
    checkpoints(a.o, clip, retrieval)


if __name__ == "__main__":
    main()
