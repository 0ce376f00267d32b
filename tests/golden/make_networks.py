#!/usr/bin/env python3
"""Goldens of tiny networks, made by the public implementations in double precision.

    make_networks.py --plainmamba CHECKOUT [--transformers FOLDER] -o tests/golden

For each network NAME.safetensors holds weights under the public names (rounded to bfloat16 or half,
so that they are exact in any precision), and NAME-golden.safetensors: `input` (B, 3, S, S), `logits`,
`tap.i` (output of block i), `tokens` (after the final norm), and the gradient of
sum(logits * cos(0.3 * index)) for every parameter: `grad.NAME`; of one with more than 2048 elements
`every.NAME` (each stride-th element, the stride being odd and in `stride.NAME`) and `dot.NAME`, its
sum with cos(0.37 * index). Batch norm: logits, taps and gradients with the batch's statistics,
`eval.logits` with the running ones, `after.NAME` the running ones afterwards.
Needs torch, timm, safetensors; transformers for the hf files.
"""
import argparse
import shutil
import sys
import tempfile

import torch
from torch import nn
from safetensors.torch import save_file

import public_models as public


def fill(model, seed, kind=torch.bfloat16):
    """Weights of the size that training gives, rounded to kind."""
    g = torch.Generator().manual_seed(seed)
    state = {}
    for name, p in model.state_dict().items():
        x = torch.randn(p.shape, generator=g, dtype=torch.float64)
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(seed)
            continue
        if name.endswith("running_var"):
            x = 1 + 0.5 * torch.rand(p.shape, generator=g, dtype=torch.float64)
        elif name.endswith("_log"):
            x = torch.log(torch.arange(1, p.shape[1] + 1, dtype=torch.float64)) + 0.1 * x
        elif name.endswith((".D", ".D_b")) or p.dim() == 1 and name.endswith("weight"):
            x = 1 + 0.1 * x
        elif p.dim() > 1 and not name.endswith("direction_Bs"):
            x = x * (0.7 / (p[0].numel() ** 0.5) if "pos" not in name and "token" not in name
                     else 0.1)
        else:
            x = 0.2 * x
        state[name] = x.to(kind).double()
    model.double().load_state_dict(state)  # A_log is made in float
    return state


def images(batch, size, seed):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, 3, size, size, generator=g, dtype=torch.float64)
    return x.to(torch.bfloat16).double()


def gradients(model, out):
    for name, p in model.named_parameters():
        g = p.grad.reshape(-1)
        if g.numel() <= 2048:
            out["grad." + name] = p.grad.clone()
            continue
        stride = -(-g.numel() // 512) | 1
        i = torch.arange(g.numel(), dtype=torch.float64)
        out["every." + name] = g[::stride].clone()
        out["stride." + name] = torch.tensor(stride)
        out["dot." + name] = (g * torch.cos(0.37 * i)).sum()


def record(model, blocks, tokens, x, stream=lambda y: y):
    """stream: what of a block's output is its output (ViM's has the residual apart)."""
    out = {"input": x.to(torch.bfloat16)}
    hooks = [b.register_forward_hook(
        lambda m, a, y, i=i: out.update({f"tap.{i}": stream(y).detach()}))
             for i, b in enumerate(blocks)]
    hooks.append(tokens.register_forward_hook(lambda m, a, y: out.update(tokens=y.detach())))
    logits = model(x)
    weight = torch.cos(0.3 * torch.arange(logits.numel(), dtype=torch.float64))
    (logits.reshape(-1) * weight).sum().backward()
    out["logits"] = logits.detach()
    gradients(model, out)
    for h in hooks:
        h.remove()
    return out


def save(path, name, state, out):
    weights = dict(state)
    for k, v in weights.items():
        if v.is_floating_point():
            weights[k] = v.to(torch.float32 if "running" in k else torch.bfloat16).contiguous()
    save_file(weights, f"{path}/{name}.safetensors", metadata={"format": "pt"})
    save_golden(path, name, out)


def save_golden(path, name, out):
    out = {k: v.contiguous() for k, v in out.items()}
    save_file(out, f"{path}/{name}-golden.safetensors")
    print(name, "logits", out["logits"][0, :4].tolist())


def deit(path, name, distilled):
    from timm.models.vision_transformer import VisionTransformer
    from timm.models.deit import VisionTransformerDistilled

    cls = VisionTransformerDistilled if distilled else VisionTransformer
    model = cls(img_size=32, patch_size=8, embed_dim=48, depth=2, num_heads=3, num_classes=10)
    state = fill(model, 3 if distilled else 2)
    model.eval()
    out = record(model, model.blocks, model.norm, images(2, 32, 5))
    save(path, name, state, out)


def hf(path, name, distilled):
    """Hugging Face's classes and names; weights in half. The eps is the one DeiT was trained with."""
    import transformers

    settings = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, image_size=16,
                    intermediate_size=96, patch_size=8, num_labels=10, layer_norm_eps=1e-6,
                    hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    if distilled:
        model = transformers.DeiTForImageClassificationWithTeacher(
            transformers.DeiTConfig(**settings))
    else:
        model = transformers.ViTForImageClassification(transformers.ViTConfig(**settings))
    fill(model, 7 if distilled else 6, torch.float16)
    model.eval()
    x = images(2, 16, 8)
    with torch.no_grad():
        out = {"input": x.to(torch.bfloat16), "logits": model(x).logits}
    with tempfile.TemporaryDirectory() as folder:
        # the package writes the names of published files, not those of its modules
        model.to(torch.float16).save_pretrained(folder)
        shutil.copyfile(f"{folder}/model.safetensors", f"{path}/{name}.safetensors")
    save_golden(path, name, out)


def plainmamba(path, name, module):
    backbone = module.PlainMamba(img_size=40, patch_size=8, embed_dims=32, num_layers=2,
                                 num_convs_patch_embed=2, layer_cfgs=public.mamba_config(16))
    model = public.Classifier(backbone, 32, 10)
    state = fill(model, 11)
    x = images(2, 40, 12)
    finish(path, name, model, state, x)


def plainmamba_local(path, name, module):
    """As L1: one convolution in the stem, and one after the first block."""
    backbone = module.PlainMamba(img_size=40, patch_size=8, embed_dims=32, num_layers=2,
                                 num_convs_patch_embed=1, layers_with_dwconv=[0],
                                 layer_cfgs=public.mamba_config(16))
    model = public.Classifier(backbone, 32, 10)
    finish(path, name, model, fill(model, 13), images(2, 40, 14))


def finish(path, name, model, state, x):
    public.set_mode(model, False)
    with torch.no_grad():
        logits = model(x)
    public.set_mode(model, True)
    out = record(model, model.backbone.layers, model.backbone.ln1, x)
    out["eval.logits"] = logits
    for k, v in model.state_dict().items():
        if "running" in k:
            out["after." + k] = v.clone()
    save(path, name, state, out)


def positions(path):
    """A table of 4 x 4 positions of 3 channels, resized as the projects do on loading."""
    table = images(1, 4, 21)[0].reshape(3, 16).t().contiguous()
    out = {"4": table}
    for n in (3, 5, 7, 14):
        y = nn.functional.interpolate(table.t().reshape(1, 3, 4, 4), size=(n, n), mode="bicubic",
                                      align_corners=False)
        out[str(n)] = y.flatten(2)[0].t().contiguous()
    save_file(out, f"{path}/positions.safetensors")


def pth(path):
    """The same DeiT in both forms of torch.save, as its release has it, and a PlainMamba with the
    copies that its averaging hook keeps. One block each; the copies share storage."""
    from timm.models.vision_transformer import VisionTransformer

    model = VisionTransformer(img_size=32, patch_size=8, embed_dim=48, depth=1, num_heads=3,
                              mlp_ratio=1, num_classes=10)
    state = {k: v.to(torch.bfloat16) for k, v in fill(model, 31).items()}
    save = {"model": state, "epoch": 299, "args": argparse.Namespace(model="deit", lr=5e-4)}
    torch.save(save, f"{path}/deit-micro.pth")
    torch.save(save, f"{path}/deit-micro-legacy.pth", _use_new_zipfile_serialization=False)


class Mlp(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, x):
        return self.fc2(nn.functional.gelu(self.fc1(x)))


def paper_scan(m, x, hw):
    """PlainMamba's mixer with step, B and C taken along the path too, as the paper writes it."""
    b, (H, W) = x.shape[0], hw
    u, z = m.in_proj(x).chunk(2, -1)
    u = m.act(m.conv2d(u.transpose(1, 2).reshape(b, -1, H, W))).flatten(2)
    r, B, C = m.x_proj(u.transpose(1, 2)).split([m.dt_rank, m.d_state, m.d_state], -1)
    delta = m.dt_proj(r).transpose(1, 2)
    B, C = B.transpose(1, 2), C.transpose(1, 2)
    y = 0
    for o, inverse, d in zip(*m.get_permute_order(hw)):
        o, inverse, d = list(o), list(inverse), list(d)
        part = public.selective_scan(u[:, :, o], delta[:, :, o], -torch.exp(m.A_log),
                                     B[:, :, o] + m.direction_Bs[d].t(), C[:, :, o], m.D,
                                     delta_bias=m.dt_proj.bias, delta_softplus=True)
        y = y + part[:, :, inverse].transpose(1, 2)
    return m.out_proj(y * m.act(z))


def averaged(path, module):
    model = micro(module, 1, 0)
    state = {k: v.to(torch.bfloat16) if v.dim() else v for k, v in fill(model, 32).items()}
    for k in list(state):
        state["ema_" + k.replace(".", "_")] = state[k]
    torch.save({"state_dict": state, "meta": {"epoch": 300, "mmcls_version": "0.23"}},
               f"{path}/plainmamba-ema.pth")


def micro(module, depth, mlp):
    """The variants that no public code holds, on the public modules: a stem of 16 channels, the
    paper's order, and (mlp > 0) the MLP that TransMamba adds to each block."""
    dim, stem = 32, 16
    backbone = module.PlainMamba(img_size=24, patch_size=8, embed_dims=dim, num_layers=depth,
                                 num_convs_patch_embed=1, layer_cfgs=public.mamba_config(8))
    embed = backbone.patch_embed
    embed.stem[0], embed.stem[1] = nn.Conv2d(3, stem, 7, 2, 3, bias=False), nn.BatchNorm2d(stem)
    embed.convs[0] = nn.Conv2d(stem, stem, 3, 1, 1, bias=False)
    embed.convs[1] = nn.BatchNorm2d(stem)
    embed.projection = nn.Conv2d(stem, dim, 4, 4)
    for layer in backbone.layers if mlp else []:
        layer.norm2, layer.mlp = nn.LayerNorm(dim, eps=1e-6), Mlp(dim, mlp * dim)

        def forward(x, hw_shape, layer=layer):
            x = x + paper_scan(layer.mamba, layer.norm(x), hw_shape)
            return x + layer.mlp(layer.norm2(x))
        layer.forward = forward
    return public.Classifier(backbone, dim, 10)


def added_mlp(path, name, module):
    model = micro(module, 2, 2)
    finish(path, name, model, fill(model, 13), images(2, 24, 14))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--plainmamba", required=True, help="checkout of the public code")
    parser.add_argument("--transformers", help="folder that holds the package")
    parser.add_argument("-o", required=True)
    a = parser.parse_args()
    public.as_double()
    deit(a.o, "deit-tiny", False)
    deit(a.o, "deit-tiny-distilled", True)
    positions(a.o)
    pth(a.o)
    module = public.load_plainmamba(a.plainmamba)
    plainmamba(a.o, "plainmamba-tiny", module)
    plainmamba_local(a.o, "plainmamba-local-tiny", module)
    added_mlp(a.o, "plainmamba-mlp-tiny", module)
    averaged(a.o, module)
    if a.transformers:
        public.remove_stubs()
        sys.path.insert(0, a.transformers)
        hf(a.o, "deit-tiny-hf", False)
        hf(a.o, "deit-tiny-hf-distilled", True)


if __name__ == "__main__":
    main()
