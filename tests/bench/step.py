#!/usr/bin/env python3
"""The training step of bench-step in PyTorch: step.py ARCH BATCH [RUNS [THREADS [CHECKOUT]]]

mamba-WIDTH-LAYERS-VOCABULARY-LENGTH, as bench's language times it, is the public language model of a
checkout of state-spaces/mamba, in tokens a second; with the scan below, or (mamba-ref-...) with the
reference scan of the public code.

deit-t, deit-s and deit-b are timm's. pmamba-t is the public PlainMamba of a checkout, with the
selective scan in plain PyTorch: the kernels that it is written for need a GPU.
"""
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


def scan(u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False,
         return_last_state=False):
    """Mamba's recurrence, step by step. u, delta (b, d, l); A (d, n); B, C (b, n, l); D (d).

    Every step's part is taken with unbind: slicing would make backward fill a whole tensor a step.
    """
    delta = torch.nn.functional.softplus(delta + delta_bias[:, None])
    h, out = 0, []
    for dt, xt, b, c in zip(delta.unbind(2), (delta * u).unbind(2), B.unbind(2), C.unbind(2)):
        h = torch.exp(dt[:, :, None] * A) * h + xt[:, :, None] * b[:, None]
        out.append((h @ c[:, :, None])[..., 0])
    return torch.stack(out, 2) + D[:, None] * u


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


def plainmamba(checkout):
    if not checkout:
        sys.exit("step.py: skipped: no checkout of PlainMamba")
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, os.path.join(here, "..", "golden"))
    import public_models as public
    public.selective_scan = scan
    backbone = public.load_plainmamba(checkout).PlainMamba(
        img_size=224, embed_dims=192, num_layers=12, num_convs_patch_embed=2,
        layer_cfgs=public.mamba_config(16))
    public.remove_stubs()
    model = public.Classifier(backbone, 192, 100)
    public.set_mode(model, True)
    return model, 100, "public PlainMamba, scan in plain PyTorch"


def blas():
    config = torch.__config__.show()
    if "Math Kernel Library Version" in config:
        return "MKL " + config.split("Math Kernel Library Version ")[1].split("-")[0]
    return config.split("BLAS_INFO=")[-1].split(",")[0]


def main():
    arch, batch, runs, threads, checkout = (sys.argv[1:] + ["5", "2", ""][len(sys.argv) - 3:])[:5]
    torch.set_num_threads(int(threads))
    if arch.startswith("mamba-"):
        return time_mamba(arch, int(batch), int(runs), checkout)
    model, classes, what = plainmamba(checkout) if arch == "pmamba-t" else deit(arch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    images = torch.randn(int(batch), 3, 224, 224)
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
