#!/usr/bin/env python3
"""Makes tests/golden/images/ and images.tsv beside it: small odd files, and what Pillow reads there.

    make_images.py FOLDER     (the folder of images.tsv)

Columns: file, width, height, FNV-1a hash of open(file).convert("RGB"); or file, "-", and words that
our message must hold where the file is refused. ycck.jpg is made apart (libjpeg,
jpeg_set_colorspace(JCS_YCCK), for Pillow cannot write it) and only read here.
"""
import io
import os
import struct
import sys
import zlib

import numpy as np
import PIL
from PIL import Image

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from make_augment import fnv, picture  # noqa: E402


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def rows_packed(rows, bits):
    """(height, width) levels of 1 to 8 bits; filter byte 0 before each row"""
    out = b""
    for row in rows:
        text = "".join(format(int(v), f"0{bits}b") for v in row)
        text += "0" * (-len(text) % 8)
        out += b"\0" + bytes(int(text[i:i + 8], 2) for i in range(0, len(text), 8))
    return out


def png(width, height, bits, colour, raw, extra=b"", interlace=0):
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra
            + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b""))


def interlaced(rows, pack):
    """The seven passes of Adam7"""
    out = b""
    for y, x, dy, dx in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2),
                         (0, 1, 2, 2), (1, 0, 2, 1)):
        part = rows[y::dy, x::dx]
        if part.size:
            out += pack(part)
    return out


def rgb_rows(part):
    return b"".join(b"\0" + row.tobytes() for row in part)


def files():
    smooth = Image.fromarray(picture(1, 37, 29))
    noise = Image.fromarray(picture(0, 19, 23))
    steps = picture(4, 21, 13)[:, :, 0]
    palette = bytes(picture(0, 256, 1).reshape(-1))

    def jpeg(im, **options):
        f = io.BytesIO()
        im.save(f, "JPEG", **options)
        return f.getvalue()

    rgb = jpeg(smooth, quality=90, subsampling=2)
    yield "444.jpg", jpeg(smooth, quality=95, subsampling=0)
    yield "422.jpg", jpeg(smooth, quality=75, subsampling=1)
    yield "420.jpg", rgb
    yield "420-noise.jpg", jpeg(noise, quality=60, subsampling=2)
    yield "progressive.jpg", jpeg(smooth, quality=75, progressive=True)
    yield "grey.jpg", jpeg(smooth.convert("L"), quality=75)
    yield "one.jpg", jpeg(Image.fromarray(picture(0, 1, 1)))
    yield "rgb.jpg", jpeg(smooth, quality=75, keep_rgb=True)
    yield "cmyk.jpg", jpeg(smooth.convert("CMYK"), quality=85)
    exif = Image.Exif()
    exif[0x112] = 6
    yield "rotated.jpg", jpeg(smooth, quality=75, exif=exif)
    yield "bytes-between.jpg", rgb[:20] + b"\0\0\0" + rgb[20:]
    yield "tail.jpg", rgb + b"more bytes after the end"

    yield "rgb.png", png(19, 23, 8, 2, rgb_rows(np.asarray(noise)))
    yield "rgb-interlaced.png", png(19, 23, 8, 2, interlaced(np.asarray(noise), rgb_rows),
                                    interlace=1)
    for bits in (1, 2, 4, 8):
        level = (picture(0, 21, 13)[:, :, 0] >> (8 - bits)).astype(np.uint8)
        raw = rows_packed(level, bits)
        yield f"grey{bits}.png", png(21, 13, bits, 0, raw)
        yield f"palette{bits}.png", png(21, 13, bits, 3, raw, chunk(b"PLTE", palette[:3 << bits]))
    level = (picture(0, 21, 13)[:, :, 0] >> 4).astype(np.uint8)
    packed = interlaced(level, lambda part: rows_packed(part, 4))
    yield "palette4-interlaced.png", png(21, 13, 4, 3, packed, chunk(b"PLTE", palette[:48]),
                                         interlace=1)
    yield "palette-transparent.png", png(21, 13, 4, 3, rows_packed(level, 4), chunk(
        b"PLTE", palette[:48]) + chunk(b"tRNS", bytes(range(0, 256, 16))))
    alpha = np.dstack([picture(0, 11, 7), picture(1, 11, 7)[:, :, 1]])
    yield "rgba.png", png(11, 7, 8, 6, rgb_rows(alpha))
    yield "grey-alpha.png", png(11, 7, 8, 4, rgb_rows(alpha[:, :, 2:]))
    yield "rgb-transparent.png", png(19, 23, 8, 2, rgb_rows(np.asarray(noise)),
                                     chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3)))
    yield "gamma.png", png(21, 13, 8, 0, rows_packed(steps, 8),
                           chunk(b"gAMA", struct.pack(">I", 100000)))

    yield "rgb.ppm", b"P6\n19 23\n255\n" + np.asarray(noise).tobytes()
    yield "levels.ppm", b"P6 19 23 100\n" + (np.asarray(noise) % 101).astype(np.uint8).tobytes()
    yield "grey.pgm", b"P5\n# a comment\n21 # another\n13\n255\n" + steps.tobytes()


def refused():
    good = dict(files())
    deep = np.zeros((3, 5), ">u2")
    yield "empty.jpg", b"", "empty"
    yield "text.jpg", b"not an image at all\n", "not a JPEG"
    yield "gif.jpg", b"GIF89a\x01\0\x01\0\0\0\0;", "not a JPEG"
    yield "truncated.jpg", good["420.jpg"][:-60], "truncated"
    yield "no-end.jpg", good["420.jpg"][:-2], "truncated"
    yield "header.jpg", good["420.jpg"][:40], "truncated"
    hole = bytearray(good["420-noise.jpg"])
    at = hole.rindex(b"\xff\xda") + 60
    yield "cut-inside.jpg", bytes(hole[:at]) + b"\xff\xd9", "premature end"
    yield "truncated.png", good["rgb.png"][:-30], "truncated"
    yield "no-end.png", good["rgb.png"][:-12], "truncated"
    flipped = bytearray(good["rgb.png"])
    flipped[60] ^= 1
    yield "flipped.png", bytes(flipped), "incorrect"
    yield "grey16.png", png(5, 3, 16, 0, rgb_rows(deep)), "16 bits"
    yield "rgb16.png", png(5, 3, 16, 2, rgb_rows(np.zeros((3, 15), ">u2"))), "16 bits"
    level = (picture(0, 21, 13)[:, :, 0] >> 4).astype(np.uint8)
    yield "palette-short.png", png(21, 13, 4, 3, rows_packed(level, 4), chunk(
        b"PLTE", bytes(30))), "palette"
    yield "huge.png", png(60000, 60000, 8, 0, b""), "60000 x 60000"
    yield "deep.ppm", b"P6 2 2 65535\n" + bytes(24), "8 bits"
    yield "truncated.ppm", good["rgb.ppm"][:-1], "truncated"
    yield "header.ppm", b"P6\n19 99999999999 255\n", "header"


def main(folder):
    images = folder + "/images/"
    with open(folder + "/images.tsv", "w") as out:
        print("# Pillow", PIL.__version__, file=out)
        names = []
        for name, data in files():
            with open(images + name, "wb") as f:
                f.write(data)
            names.append(name)
        for name in names + ["ycck.jpg"]:
            im = Image.open(images + name).convert("RGB")
            print(name, im.width, im.height, fnv(im.tobytes()), sep="\t", file=out)
        for name, data, words in refused():
            with open(images + name, "wb") as f:
                f.write(data)
            print(name, "-", words, sep="\t", file=out)


if __name__ == "__main__":
    main(sys.argv[1])
