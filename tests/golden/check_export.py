#!/usr/bin/env python3
"""Do exported weights give the same logits in the public PyTorch classes?

    check_export.py --bin build/bin --plainmamba CHECKOUT --transmamba CHECKOUT
        --vim CHECKOUT --vmamba CHECKOUT --videomamba CHECKOUT [--transformers FOLDER]

Makes weights with init-weights, changes them a little (first values have zeros that would hide a
mistake), imports and exports them through the tools, loads them strictly into the public classes and
compares those classes' logits, in float, with eval-cls' scores (of clips: of one frame, an image). Prints a line per network and exits
1 when one is off by more than 1e-5 of the largest logit.
Needs torch, timm, safetensors, h5py; transformers for the hf names.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile

import h5py
import numpy as np
import torch
from safetensors.torch import load_file, save_file

import public_models as public
import public_videomamba
import public_vim

SIZE, COUNT, CLASSES = 32, 16, 48
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def run(a, tool, *arguments):
    subprocess.run([os.path.join(a.bin, tool), *map(str, arguments)], check=True)


def images(path):
    """What eval-cls sees: pixels of the input's size, normalised."""
    with h5py.File(path) as f:
        x = torch.tensor(f["pixels"][:]).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in (MEAN, STD))
    return (x - mean) / std


def perturb(source, target):
    g = torch.Generator().manual_seed(4)
    state = {}
    for name, x in load_file(source).items():
        if x.is_floating_point():
            x = x + 0.1 * (torch.rand(x.shape, generator=g) - 0.5)
        state[name] = x
    save_file(state, target)


def timm_model(distilled):
    from timm.models.deit import VisionTransformerDistilled
    from timm.models.vision_transformer import VisionTransformer

    cls = VisionTransformerDistilled if distilled else VisionTransformer
    return cls(img_size=SIZE, embed_dim=192, num_heads=3, num_classes=CLASSES)


def hf_model(distilled):
    import transformers

    settings = dict(hidden_size=192, num_attention_heads=3, image_size=SIZE, num_labels=CLASSES,
                    intermediate_size=768, layer_norm_eps=1e-6)
    if distilled:
        return transformers.DeiTForImageClassificationWithTeacher(
            transformers.DeiTConfig(**settings))
    return transformers.ViTForImageClassification(transformers.ViTConfig(**settings))


def plainmamba_model(module, released):
    settings = dict(img_size=SIZE, embed_dims=192, num_layers=12, num_convs_patch_embed=2,
                    layer_cfgs=public.mamba_config(16))
    if released:
        return module.PlainMamba(num_classes=CLASSES, **settings)
    return public.Classifier(module.PlainMamba(**settings), 192, CLASSES)


def plainmamba_l1(module):
    return public.Classifier(module.PlainMamba(arch="L1", img_size=SIZE), 192, CLASSES)


def mambaout_model():
    from timm.models.mambaout import MambaOut

    return MambaOut(num_classes=CLASSES, depths=(3, 3, 9, 3), dims=(48, 96, 192, 288))


def vim_model(module, stride):
    return public_vim.published(module, img_size=SIZE, patch_size=16, stride=stride, depth=24,
                                embed_dim=192, num_classes=CLASSES)


def videomamba_model(checkout, frames):
    module = public_videomamba.load(checkout, "video_sm" if frames else "image_sm")
    return public_videomamba.published(module, frames=frames, img_size=SIZE, patch_size=16,
                                       depth=24, embed_dim=192, num_classes=CLASSES)


def vmamba_model(module, arch):
    public_name = {"vmamba-v0-t": "vanilla_vmamba_tiny", "vmamba-t-s2l5": "vmamba_tiny_s2l5",
                   "vmamba-t-s1l8": "vmamba_tiny_s1l8"}
    if arch in public_name:
        model = getattr(module, public_name[arch])()
        model.classifier.head = torch.nn.Linear(768, CLASSES)
        return model
    return module.VSSM(num_classes=CLASSES, depths=[2, 2, 9, 2], dims=128, forward_type="v0",
                       mlp_ratio=0.0, downsample_version="v1", patchembed_version="v1")


def load(model, path):
    """Strictly: no key may be missing or left over."""
    if not hasattr(model, "config"):
        model.load_state_dict(load_file(path), strict=True)
        return model
    with tempfile.TemporaryDirectory() as folder:
        # from_pretrained turns the names of published files into those of the modules
        model.config.save_pretrained(folder)
        shutil.copyfile(path, f"{folder}/model.safetensors")
        loaded, info = type(model).from_pretrained(folder, output_loading_info=True)
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        assert not info[what], (what, info[what])
    return loaded


def logits_of(model, x):
    public.set_mode(model, False)
    with torch.no_grad():
        y = model(x)
    y = y[0] if isinstance(y, tuple) else getattr(y, "logits", y)
    return y.numpy()


def check(a, folder, arch, spelling, model, frames=0):
    p = lambda name: os.path.join(folder, name)
    settings = ["--arch", arch, "--input", SIZE, "--classes", CLASSES]
    settings += ["--frames", frames] if frames else []
    run(a, "init-weights", *settings, "-o", p("first.h5"))
    run(a, "export-weights", p("first.h5"), "-o", p("first.safetensors"))
    perturb(p("first.safetensors"), p("changed.safetensors"))
    run(a, "import-weights", p("changed.safetensors"), *settings, "-q", "-o", p("changed.h5"))
    run(a, "export-weights", p("changed.h5"), "--spelling", spelling, "-o", p("out.safetensors"))
    x = images(p("data.h5"))
    want = logits_of(load(model, p("out.safetensors")), x[:, :, None] if frames else x)
    got = our_logits(a, p("changed.h5"), p("data.h5"), p("predictions.h5"))
    off = np.abs(got - want).max() / np.abs(want).max()
    print(f"{arch}\t{spelling}\t{off:.2e}\t{'ok' if off <= 1e-5 else 'DIFFERS'}", flush=True)
    return off <= 1e-5


def our_logits(a, weights, data, predictions):
    subprocess.run([os.path.join(a.bin, "eval-cls"), "--weights", weights, "--data", data,
                    "--predictions", predictions, "-q"], check=True, stdout=subprocess.DEVNULL)
    with h5py.File(predictions) as f:
        return f["logits"][:]


def check_all(a, folder):
    run(a, "make-shapes", "--split", "test", "--count", COUNT, "-q", "-o", f"{folder}/data.h5")
    good = True
    for distilled, arch in ((0, "deit-t"), (1, "deit-t-distilled")):
        good &= check(a, folder, arch, "timm", timm_model(distilled))
    module = public.load_plainmamba(a.plainmamba)
    good &= check(a, folder, "pmamba-t", "public", plainmamba_model(module, False))
    good &= check(a, folder, "pmamba-l1", "public", plainmamba_l1(module))
    good &= check(a, folder, "mambaout-femto", "timm", mambaout_model())
    module = public.load_vmamba(a.vmamba, double=False)
    for arch in ("vmamba-t", "vmamba-v0-t", "vmamba-t-s2l5", "vmamba-t-s1l8"):
        for spelling in ("public", "first"):
            good &= check(a, folder, arch, spelling, vmamba_model(module, arch))
    module = public.load_transmamba(a.transmamba)
    good &= check(a, folder, "pmamba-t", "own", plainmamba_model(module, True))
    module = public_vim.load_vim(a.vim)
    for arch, spelling, stride in (("vim-t", "public", 16), ("vim-t-plus", "own", 8)):
        good &= check(a, folder, arch, spelling, vim_model(module, stride))
    for frames in (0, 1):
        good &= check(a, folder, "videomamba-t", "public", videomamba_model(a.videomamba, frames),
                      frames)
    if a.transformers:
        public.remove_stubs()
        sys.path.insert(0, a.transformers)
        for distilled, arch in ((0, "deit-t"), (1, "deit-t-distilled")):
            good &= check(a, folder, arch, "hf", hf_model(distilled))
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default="build/bin")
    parser.add_argument("--plainmamba", required=True)
    parser.add_argument("--transmamba", required=True)
    parser.add_argument("--vim", required=True)
    parser.add_argument("--vmamba", required=True)
    parser.add_argument("--videomamba", required=True)
    parser.add_argument("--transformers")
    a = parser.parse_args()
    torch.set_num_threads(1)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        good = check_all(a, folder)
    sys.exit(not good)


main()
