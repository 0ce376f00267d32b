#!/usr/bin/env python3
"""The training step of bench-step in PyTorch:
step.py ARCH BATCH [RUNS [THREADS [CHECKOUT [FRAMES]]]]

deit-t, deit-s and deit-b are timm's. The others are public code of a checkout, with the selective
scan in plain PyTorch (the kernels that it is written for need a GPU): pmamba-t (PlainMamba), vim-t
(Vim), vmamba-v0-t (VMamba), videomamba-t (VideoMamba; clips of FRAMES frames, 0: images).

mamba-WIDTH-LAYERS-VOCABULARY-LENGTH, as bench's language times it, is the public language model of a
checkout of state-spaces/mamba, in tokens a second; with the scan below, or (mamba-ref-...) with the
reference scan of the public code.
"""
import contextlib
import os
import sys
import time

try:
    import torch
except ImportError as missing:
    sys.exit(f"step.py: skipped: {missing}")

DEIT = {"deit-t": "deit_tiny_patch16_224", "deit-s": "deit_small_patch16_224",
        "deit-b": "deit_base_patch16_224"}


def deit(arch):
    try:
        import timm
    except ImportError as missing:
        sys.exit(f"step.py: skipped: {missing}")
    return timm.create_model(DEIT[arch]).train(), 1000, f"timm {timm.__version__}"


def scan(u, delta, A, B, C, D=None, z=None, delta_bias=None, **more):
    """Mamba's recurrence, step by step. u, delta (b, d, l); A (d, n); B, C (b, n, l), or in k groups
    of channels (b, k, n, l); D (d).

    Every step's part is taken with unbind: slicing would make backward fill a whole tensor a step.
    """
    B, C = (x if x.dim() == 4 else x[:, None] for x in (B, C))
    groups = (B.shape[1], -1)
    delta = torch.nn.functional.softplus(delta + delta_bias[:, None])
    A, parts = A.unflatten(0, groups), ((x.unflatten(1, groups)).unbind(3) for x in (delta, delta * u))
    h, out = 0, []
    for dt, xt, b, c in zip(*parts, B.unbind(3), C.unbind(3)):
        h = torch.exp(dt[..., None] * A) * h + xt[..., None] * b[:, :, None]
        out.append((h @ c[..., None])[..., 0])
    return torch.stack(out, 3).flatten(1, 2) + D[:, None] * u


def mamba(arch, checkout):
    """The public language model, and its length."""
    if not checkout:
        sys.exit("step.py: skipped: no checkout of Mamba")
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
    import public_mamba as public

    def gated(u, delta, A, B, C, D, z, **rest):
        return scan(u, delta, A, B, C, D, **rest) * torch.nn.functional.silu(z)

    reference = arch.startswith("mamba-ref-")
    width, layers, vocabulary, length = map(int, arch.split("-")[-4:])
    module = public.load_mamba(checkout, None if reference else gated)
    model = public.published(module, width, layers, vocabulary)
    return model.train(), length, vocabulary, "public Mamba, " + (
        "its reference scan" if reference else "scan in plain PyTorch")


def time_mamba(arch, batch, runs, checkout):
    model, length, vocabulary, what = mamba(arch, checkout)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    ids = torch.randint(0, vocabulary, (batch, length + 1))
    best = float("inf")
    for _ in range(runs + 1):
        start = time.monotonic()
        optimizer.zero_grad()
        logits = model(ids[:, :-1]).logits
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimizer.step()
        best = min(best, time.monotonic() - start)
    print("network\tbatch\tmilliseconds\ttokens_per_s\tused")
    print(f"{arch}\t{batch}\t{best * 1e3:.3f}\t{batch * length / best:.2f}\t"
          f"PyTorch {torch.__version__} ({blas()}), {what}")


def plainmamba(public, checkout, frames):
    backbone = public.load_plainmamba(checkout).PlainMamba(
        img_size=224, embed_dims=192, num_layers=12, num_convs_patch_embed=2,
        layer_cfgs=public.mamba_config(16))
    model = public.Classifier(backbone, 192, 100)
    public.set_mode(model, True)
    return model, 100, "PlainMamba"


def vim(public, checkout, frames):
    import public_vim

    model = public_vim.published(public_vim.load_vim(checkout), img_size=224, patch_size=16,
                                 stride=16, depth=24, embed_dim=192, num_classes=100)
    return model, 100, "Vim"


def vmamba(public, checkout, frames):
    module = public.load_vmamba(checkout, double=False)
    sys.modules["csms6s"].selective_scan_torch = lambda u, delta, A, B, C, D, bias, *other: scan(
        u, delta, A, B, C, D, delta_bias=bias)
    return module.vanilla_vmamba_tiny(), 1000, "VMamba"


def videomamba(public, checkout, frames):
    import public_videomamba

    module = public_videomamba.load(checkout, "video_sm" if frames else "image_sm")
    model = public_videomamba.published(module, frames=frames, img_size=224, patch_size=16,
                                        depth=24, embed_dim=192)
    return model, 1000, "VideoMamba"


PUBLIC = {"pmamba-t": plainmamba, "vim-t": vim, "vmamba-v0-t": vmamba, "videomamba-t": videomamba}


def of_checkout(arch, checkout, frames):
    if not checkout:
        sys.exit(f"step.py: skipped: no checkout of the public code of {arch}")
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, os.path.join(here, "..", "golden"))
    import public_models as public

    public.selective_scan = scan
    with contextlib.redirect_stdout(sys.stderr):  # what the public code says
        model, classes, name = PUBLIC[arch](public, checkout, frames)
    public.remove_stubs()
    return model, classes, f"public {name}, scan in plain PyTorch"


def blas():
    config = torch.__config__.show()
    if "Math Kernel Library Version" in config:
        return "MKL " + config.split("Math Kernel Library Version ")[1].split("-")[0]
    return config.split("BLAS_INFO=")[-1].split(",")[0]


def main():
    given = sys.argv[1:]
    arch, batch, runs, threads, checkout, frames = given + ["5", "2", "", "0"][len(given) - 2:]
    torch.set_num_threads(int(threads))
    frames = int(frames)
    if arch.startswith("mamba-"):
        return time_mamba(arch, int(batch), int(runs), checkout)
    model, classes, what = of_checkout(arch, checkout, frames) if arch in PUBLIC else deit(arch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    images = torch.randn(int(batch), 3, *([frames] if frames else []), 224, 224)
    labels = torch.randint(0, classes, (int(batch),))
    best = float("inf")
    for _ in range(int(runs) + 1):
        start = time.monotonic()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimizer.step()
        best = min(best, time.monotonic() - start)
    print("network\tbatch\tmilliseconds\timages_per_s\tused")
    print(f"{arch}\t{batch}\t{best * 1e3:.3f}\t{int(batch) / best:.2f}\t"
          f"PyTorch {torch.__version__} ({blas()}), {what}")


main()
