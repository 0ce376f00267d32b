"""VideoMamba's public code, loaded so that it runs on a CPU without its compiled extensions.

From a checkout of github.com/OpenGVLab/VideoMamba. Networks and mixer are imported as they are; what
stands in for compiled code is Vim's (public_vim.py), from which the mixer was forked.
"""
import importlib.util
import sys

import public_models as public
import public_vim as vim


def rearrange(x, pattern, **sizes):
    """The patterns that the network of clips uses, and the mixer's."""
    pattern = " ".join(pattern.split())
    if pattern == "(b t) n m -> (b n) t m":
        b, t = sizes["b"], sizes["t"]
        return x.reshape(b, t, *x.shape[1:]).transpose(1, 2).reshape(-1, t, x.shape[2])
    if pattern == "(b n) t m -> b (t n) m":
        return x.reshape(sizes["b"], -1, *x.shape[1:]).transpose(1, 2).flatten(1, 2)
    return vim.rearrange(x, pattern, **sizes)


def load(checkout, name):
    """The module of a part's networks: image_sm, video_sm (clips), video_mm (retrieval)."""
    public.stub("einops", rearrange=rearrange, repeat=public.repeat)
    public.stub("causal_conv1d", causal_conv1d_fn=None, causal_conv1d_update=None)
    public.stub("mamba_ssm", [f"{checkout}/mamba/mamba_ssm"])
    public.stub("mamba_ssm.modules", [f"{checkout}/mamba/mamba_ssm/modules"])
    public.stub("mamba_ssm.ops")
    public.stub("mamba_ssm.ops.selective_scan_interface", selective_scan_fn=None,
                mamba_inner_fn=None, bimamba_inner_fn=None,
                mamba_inner_fn_no_out_proj=vim.inner)
    public.stub("mamba_ssm.ops.triton")
    public.stub("mamba_ssm.ops.triton.layernorm", RMSNorm=vim.RMSNorm,
                rms_norm_fn=vim.fused(vim.rms), layer_norm_fn=vim.fused(vim.layer))
    folder = "backbones/videomamba/" if name == "video_mm" else ""
    path = f"{checkout}/videomamba/{name}/models/{folder}videomamba.py"
    spec = importlib.util.spec_from_file_location(f"videomamba_{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    return module


def published(module, **changes):
    """The published networks' settings, with changes; frames: of a clip, 0 an image."""
    settings = dict(rms_norm=True, residual_in_fp32=True, fused_add_norm=True, drop_path_rate=0)
    frames = changes.pop("frames", 0)
    if frames:
        settings["num_frames"] = frames
    else:
        settings["stride"] = changes.get("patch_size", 16)
    return module.VisionMamba(**{**settings, **changes})
