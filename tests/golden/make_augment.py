#!/usr/bin/env python3
"""Makes tests/golden/randaugment.tsv, views.tsv and resize.tsv with Pillow, timm and torchvision.

    make_augment.py FOLDER

Pictures come from a formula (picture below, again in tests/pictures.h), so that no image is kept.
Columns of randaugment.tsv: op, argument, bicubic, picture, width, height, FNV-1a hash of the output's
bytes, and for small pictures the bytes in hex (else -).

timm 0.4.12 and later give the same arguments to the same operations for rand-m9-mstd0.5-inc1:
rotate 30 degrees, shear 0.3, translate 0.45 of the side, posterize 4 - int(0.4 m) bits, solarize
256 - int(25.6 m), solarize_add int(11 m), enhance 1 +- 0.09 m (later versions only add a lower bound
of 0.1, which is never reached for m <= 10); the fill is round(255 * mean) = 124, 116, 104; with
--train-interpolation bicubic every operation is bicubic, with "random" each draws bilinear or bicubic.
resize.tsv and views.tsv want a Pillow before 13: since then the pass along columns may come first,
with other roundings; all before, and ours, begin with the rows.
"""
import sys

import numpy as np
import PIL
import timm
import torchvision
from PIL import Image, ImageEnhance
from timm.data import auto_augment as aa
from torchvision import transforms

FILL = (124, 116, 104)


def picture(kind, width, height):
    """kind 0 noise, 1 smooth, 2 flat, 3 narrow, 4 steps; (height, width, 3) bytes"""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    y, x, c = (v.astype(np.uint32) for v in (y, x, c))
    h = (x * np.uint32(2654435761)) ^ (y * np.uint32(2246822519)) ^ (c * np.uint32(3266489917))
    h ^= h >> np.uint32(15)
    h *= np.uint32(2246822519)
    h ^= h >> np.uint32(13)
    h *= np.uint32(3266489917)
    h ^= h >> np.uint32(16)
    noise = h & 255
    slope = (3 * x + 5 * y + 40 * c + x * y // 7) % 512
    smooth = np.where(slope < 256, slope, 511 - slope)
    if kind == 0:
        v = noise
    elif kind == 1:
        v = smooth
    elif kind == 2:
        v = 60 + 50 * c + 0 * x
    elif kind == 3:
        v = 90 + (noise >> 3) + (smooth >> 3) + 10 * c
    else:
        v = 85 * ((x // 5 + y // 3 + c) % 4)
    return v.astype(np.uint8)


def fnv(data):
    h = 0xCBF29CE484222325
    for b in data:
        h = ((h ^ b) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def operations():
    def moved(fn):
        return lambda im, v, bicubic: fn(
            im, v, fillcolor=FILL, resample=Image.BICUBIC if bicubic else Image.BILINEAR
        )

    def plain(fn):
        return lambda im, v, bicubic: fn(im, v)

    def bare(fn):
        return lambda im, v, bicubic: fn(im)

    ops = {
        "AutoContrast": (bare(aa.auto_contrast), [0]),
        "Equalize": (bare(aa.equalize), [0]),
        "Invert": (bare(aa.invert), [0]),
        "Posterize": (plain(aa.posterize), [4, 3, 2, 1]),
        "Solarize": (plain(aa.solarize), [256, 230, 128, 26, 0]),
        "SolarizeAdd": (plain(aa.solarize_add), [0, 1, 55, 99, 110]),
    }
    factors = [0.1, 0.19, 0.5, 0.987654321, 1.0, 1.3333, 1.81, 1.9]
    for name, fn in (("Color", aa.color), ("Contrast", aa.contrast),
                     ("Brightness", aa.brightness), ("Sharpness", aa.sharpness)):
        ops[name] = (plain(fn), factors)
    ops["Rotate"] = (moved(aa.rotate), [-30.0, -27.123456789, -1e-3, 0.0, 13.5, 28.2, 30.0])
    for name, fn in (("ShearX", aa.shear_x), ("ShearY", aa.shear_y)):
        ops[name] = (moved(fn), [-0.3, -0.27123456789, 0.0, 0.015, 0.25, 0.3])
    for name, fn in (("TranslateX", aa.translate_x_rel), ("TranslateY", aa.translate_y_rel)):
        ops[name] = (moved(fn), [-0.45, -0.405123456789, 0.0, 0.25, 0.3777, 0.45])
    return ops


MOVING = ("Rotate", "ShearX", "ShearY", "TranslateX", "TranslateY")


def randaugment(out):
    print("# Pillow", PIL.__version__, "timm", timm.__version__, file=out)
    for name, (fn, arguments) in operations().items():
        for argument in arguments:
            for bicubic in (0, 1) if name in MOVING else (0,):
                for kind, width, height in ((0, 64, 64), (1, 97, 64), (2, 9, 7), (3, 32, 32),
                                            (4, 33, 65), (1, 224, 224), (0, 16, 12), (1, 2, 2)):
                    im = Image.fromarray(picture(kind, width, height))
                    data = np.asarray(fn(im, argument, bicubic)).tobytes()
                    small = name in MOVING and (width, height) == (16, 12)
                    print(name, repr(float(argument)), bicubic, kind, width, height, fnv(data),
                          data.hex() if small else "-", sep="\t", file=out)


def views(out):
    """Evaluation (short side to resize, centre crop) and random resized crops, by their boxes."""
    print("# Pillow", PIL.__version__, "torchvision", torchvision.__version__, file=out)
    for kind, width, height, resize, crop in (
        (1, 500, 375, 256, 224), (0, 375, 500, 256, 224), (1, 333, 500, 73, 64), (0, 32, 32, 256, 224),
        (4, 640, 427, 256, 224), (1, 256, 256, 256, 224), (0, 97, 31, 40, 33), (3, 31, 97, 36, 32),
        (1, 224, 224, 256, 224), (0, 40, 32, 32, 32), (4, 37, 36, 36, 32), (1, 48, 64, 20, 32),
    ):
        t = transforms.Compose([
            transforms.Resize(resize, interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(crop),
        ])
        data = np.asarray(t(Image.fromarray(picture(kind, width, height)))).tobytes()
        print("evaluation", kind, width, height, resize, crop, 0, 0, 0, 0, 0, fnv(data), sep="\t",
              file=out)
    for kind, width, height, y, x, h, w, size, flip in (
        (1, 500, 375, 10, 20, 300, 310, 224, 0), (0, 500, 375, 0, 0, 375, 500, 224, 1),
        (4, 32, 32, 3, 5, 20, 17, 224, 0), (1, 64, 48, 40, 60, 8, 4, 32, 1),
        (3, 32, 32, 0, 0, 32, 32, 32, 1), (0, 33, 21, 1, 2, 19, 30, 31, 0),
    ):
        im = Image.fromarray(picture(kind, width, height))
        im = im.crop((x, y, x + w, y + h)).resize((size, size), Image.BICUBIC)
        if flip:
            im = im.transpose(Image.FLIP_LEFT_RIGHT)
        print("crop", kind, width, height, 0, size, y, x, h, w, flip, fnv(np.asarray(im).tobytes()),
              sep="\t", file=out)


def sizes():
    """A few hundred: odd, tiny, one axis only, upscaling, far shrinking; thin ones up to 1 : 60"""
    fixed = [(1, 1, 1, 1), (1, 1, 224, 224), (2, 3, 7, 5), (500, 375, 224, 224), (375, 500, 224, 224),
             (500, 375, 341, 256), (640, 427, 383, 256), (32, 32, 224, 224), (224, 224, 32, 32),
             (33, 31, 33, 64), (33, 31, 66, 31), (256, 256, 256, 256), (1000, 7, 10, 7),
             (7, 1000, 7, 10), (1024, 768, 1, 1), (1, 60, 5, 3), (60, 1, 3, 5), (3, 3, 600, 2),
             (2048, 1536, 298, 224), (17, 19, 18, 18), (300, 200, 299, 199), (31, 37, 32, 36)]
    state = 12345
    for i in range(300):
        row = []
        for top in (160, 160, 128, 128) if i % 2 else (40, 40, 70, 70):
            state = (state * 1103515245 + 12345) % 2**31
            row.append(1 + (state >> 8) % top)
        if max(row[0], row[1]) <= 60 * min(row[0], row[1]):
            fixed.append(tuple(row))
    return fixed


def resize(out):
    """Columns: picture, width, height, new width, new height, hash"""
    print("# Pillow", PIL.__version__, file=out)
    for i, (width, height, new_width, new_height) in enumerate(sizes()):
        kind = (0, 1, 4)[i % 3]
        im = Image.fromarray(picture(kind, width, height))
        data = np.asarray(im.resize((new_width, new_height), Image.BICUBIC)).tobytes()
        print(kind, width, height, new_width, new_height, fnv(data), sep="\t", file=out)


if __name__ == "__main__":
    with open(sys.argv[1] + "/randaugment.tsv", "w") as f:
        randaugment(f)
    with open(sys.argv[1] + "/views.tsv", "w") as f:
        views(f)
    with open(sys.argv[1] + "/resize.tsv", "w") as f:
        resize(f)
