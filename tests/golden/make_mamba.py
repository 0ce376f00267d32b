#!/usr/bin/env python3
"""Goldens of the language model Mamba, made by the public implementation in double precision.

    make_mamba.py --mamba CHECKOUT -o tests/golden

mamba-tiny.bin is what save_pretrained writes (here in bfloat16: exact in any precision), its head one
storage with the embedding; mamba-tiny-hf.safetensors the same weights under Hugging Face's names.
mamba-tiny-golden.safetensors, for two rows of nine tokens `input`: `logits`, `tap.i` (the stream after
block i), `tokens` (after the last norm), `grad.NAME` of sum(logits * cos(0.3 * index)); `loss`: mean
cross-entropy of each token's successor; `step.logits` of the tokens from the fourth on, read one by
one by the mixers' step after a prompt of four, and the states that they leave in the last layer.
"""
import argparse

import torch
from safetensors.torch import save_file

import make_networks as networks
import public_mamba
import public_models as public

PROMPT = 4


def record(model, ids):
    out = {"input": ids.to(torch.int32)}
    hooks = [b.register_forward_hook(
        lambda m, a, y, i=i: out.update({f"tap.{i}": (y[0] + y[1]).detach()}))
             for i, b in enumerate(model.backbone.layers)]
    hooks.append(model.backbone.norm_f.register_forward_hook(
        lambda m, a, y: out.update(tokens=y.detach())))
    logits = model(ids).logits
    out["loss"] = torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).detach()
    (logits.flatten() * torch.cos(0.3 * torch.arange(logits.numel()))).sum().backward()
    out["logits"] = logits.detach()
    networks.gradients(model, out)
    for h in hooks:
        h.remove()
    return out


def steps(model, ids):
    past = public_mamba.Generation()
    with torch.no_grad():
        model(ids[:, :PROMPT], inference_params=past)
        got = []
        for t in range(PROMPT, ids.shape[1]):
            past.seqlen_offset = t
            got.append(model(ids[:, t:t + 1], inference_params=past).logits)
    conv, ssm = past.key_value_memory_dict[len(model.backbone.layers) - 1]
    return {"step.logits": torch.cat(got, 1), "conv_state": conv, "ssm_state": ssm}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mamba", required=True, help="checkout of the public code")
    parser.add_argument("-o", required=True)
    a = parser.parse_args()
    public.as_double()
    module = public_mamba.load_mamba(a.mamba)
    model = public_mamba.published(module, 20, 2, 21, d_state=16)
    state = networks.fill(model, 61)
    # both names of one matrix were filled: the later one counts
    state["backbone.embedding.weight"] = state["lm_head.weight"]
    ids = torch.randint(0, 21, (2, 9), generator=torch.Generator().manual_seed(62))
    out = {**record(model, ids), **steps(model, ids)}
    networks.save_golden(a.o, "mamba-tiny", out)
    model.to(torch.bfloat16)
    torch.save(model.state_dict(), f"{a.o}/mamba-tiny.bin")
    names = {k.replace("embedding.", "embeddings."): v.to(torch.bfloat16).contiguous()
             for k, v in state.items() if k != "lm_head.weight"}
    save_file(names, f"{a.o}/mamba-tiny-hf.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    main()
