#!/usr/bin/env python3
"""The same work as images.c by torchvision on Pillow, one thread: images.py FILE...

Files in memory; decoded; evaluation's view; the recipe of training with timm's RandAugment when
timm is there, else torchvision's. TSV on stdout, best of three, CPU time.
"""
import io
import sys
import time

try:
    import PIL
    import torch
    import torchvision
    from PIL import Image, ImageOps
    from torchvision import transforms as t
except ImportError as missing:
    print("skipped:", missing, file=sys.stderr)
    sys.exit(0)

torch.set_num_threads(1)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BICUBIC = t.InterpolationMode.BICUBIC


def colours(size):
    try:
        from timm.data.auto_augment import rand_augment_transform
    except ImportError:
        return t.RandAugment(2, 9)
    # newer Pillows refuse to posterize to no bits, which level 10 asks for
    posterize = ImageOps.posterize
    ImageOps.posterize = lambda im, bits: posterize(im, max(bits, 1))
    fill = tuple(min(255, round(255 * m)) for m in MEAN)
    options = {"translate_const": int(size * 0.45), "img_mean": fill,
               "interpolation": Image.BICUBIC}
    return rand_augment_transform("rand-m9-mstd0.5-inc1", options)


def training(size):
    return t.Compose([t.RandomResizedCrop(size, interpolation=BICUBIC), t.RandomHorizontalFlip(),
                      colours(size), t.ToTensor(), t.Normalize(MEAN, STD),
                      t.RandomErasing(0.25, (0.02, 1 / 3), (0.3, 1 / 0.3), "random")])


def main(paths):
    files = [open(p, "rb").read() for p in paths]
    small = [Image.open(io.BytesIO(f)).convert("RGB").resize((64, 64)) for f in files]
    evaluation = t.Compose([t.Resize(256, interpolation=BICUBIC), t.CenterCrop(224), t.ToTensor(),
                            t.Normalize(MEAN, STD)])
    train224, train64 = training(224), training(64)

    def decode(f):
        return Image.open(io.BytesIO(f)).convert("RGB")

    print("# Pillow", PIL.__version__, "torchvision", torchvision.__version__)
    print("what\timages\timages_per_second")
    for name, work, inputs in (
            ("decode", decode, files),
            ("evaluation view at 224", lambda f: evaluation(decode(f)), files),
            ("training view at 224", lambda f: train224(decode(f)), files),
            ("pixels, training view at 64", train64, small)):
        best = 1e9
        for _ in range(3):
            start = time.thread_time()
            for x in inputs:
                work(x)
            best = min(best, (time.thread_time() - start) / len(inputs))
        print(name, len(inputs), f"{1 / best:.0f}", sep="\t")


if __name__ == "__main__":
    main(sys.argv[1:])
