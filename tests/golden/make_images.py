"""Goldens of image files: Pillow's orientation and its pixels of WebP, BMP, GIF and TIFF files.

    python3 make_images.py            writes data_{orientation,webp_bmp_gif,tiff}.json
    python3 make_images.py --verify   makes them again and compares

data_decode.json, which make_data.py writes, has the kinds of JPEG and PNG. Files are stored as base64.
"""

import json
import os
import struct
import sys

import numpy as np
import PIL
from PIL import Image, PngImagePlugin

import formula
from make_data import decoded, encoded, exif, noise, photo

HERE = os.path.dirname(os.path.abspath(__file__))


def xmp(orientation, element=False):
    """An XMP packet with tiff:Orientation as an attribute or as an element."""
    inside = f"><tiff:Orientation>{orientation}</tiff:Orientation></rdf:Description>"
    if not element:
        inside = f' tiff:Orientation="{orientation}"/>'
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/"' + inside + "</rdf:RDF></x:xmpmeta>"
    )


def with_segments(jpeg, *bodies):
    """The JPEG with APP1 segments after its first two bytes."""
    segments = b"".join(b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body for body in bodies)
    return jpeg[:2] + segments + jpeg[2:]


def raw_profile(data):
    """EXIF as ImageMagick writes it into a PNG's text."""
    digits = data.hex()
    lines = [digits[i : i + 72] for i in range(0, len(digits), 72)]
    return "\nexif\n%8d\n%s\n" % (len(data), "\n".join(lines))


def png_with_text(*texts):
    """Texts are (kind, key, value): kind is "tEXt", "zTXt" or "iTXt"."""
    info = PngImagePlugin.PngInfo()
    for kind, key, value in texts:
        if kind == "iTXt":
            info.add_itxt(key, value)
        else:
            info.add_text(key, value, zip=kind == "zTXt")
    return encoded(photo(11, 7), "PNG", pnginfo=info)


def orientation_files():
    small = photo(11, 7)
    jpeg = encoded(small, "JPEG")
    namespace = b"http://ns.adobe.com/xap/1.0/\0"
    no_orientation = Image.Exif()
    no_orientation[0x010F] = "maker"
    packet = "XML:com.adobe.xmp"
    files = {
        "jpeg xmp attribute": with_segments(jpeg, namespace + xmp(6).encode()),
        "jpeg xmp element": with_segments(jpeg, namespace + xmp(8, element=True).encode()),
        "jpeg xmp 9": with_segments(jpeg, namespace + xmp(9).encode()),
        "jpeg xmp twice": with_segments(jpeg, namespace + xmp(6).encode(), namespace + xmp(3).encode()),
        "jpeg exif 1 before xmp": with_segments(jpeg, exif(1), namespace + xmp(6).encode()),
        "jpeg exif 3 after xmp": with_segments(jpeg, namespace + xmp(6).encode(), exif(3)),
        "jpeg exif 0 before xmp": with_segments(jpeg, exif(0), namespace + xmp(6).encode()),
        "jpeg exif of another tag": with_segments(jpeg, no_orientation.tobytes(), namespace + xmp(5).encode()),
        "jpeg exif prefix twice": with_segments(jpeg, b"Exif\0\0" + exif(6)),
        "jpeg exif in two segments": with_segments(jpeg, exif(6)[:20], b"Exif\0\0" + exif(6)[20:]),
        "jpeg exif big-endian": with_segments(
            jpeg, b"Exif\0\0MM" + struct.pack(">HIHHHIHHI", 42, 8, 1, 0x112, 3, 1, 8, 0, 0)
        ),
        "jpeg exif orientation as long": with_segments(
            jpeg, b"Exif\0\0II" + struct.pack("<HIHHHIII", 42, 8, 1, 0x112, 4, 1, 6, 0)
        ),
        "jpeg exif two orientations": with_segments(
            jpeg, b"Exif\0\0II" + struct.pack("<HIHHHIHHI", 42, 8, 1, 0x112, 3, 2, 6, 6, 0)
        ),
        "png xmp": png_with_text(("iTXt", packet, xmp(6))),
        "png xmp element": png_with_text(("iTXt", packet, xmp(2, element=True))),
        "png xmp as plain text": png_with_text(("tEXt", packet, xmp(7))),
        "png raw profile": png_with_text(("zTXt", "Raw profile type exif", raw_profile(exif(6)))),
        "png raw profile as plain text": png_with_text(("tEXt", "Raw profile type exif", raw_profile(exif(5)))),
        "png raw profile before xmp": png_with_text(
            ("zTXt", "Raw profile type exif", raw_profile(exif(8))), ("iTXt", packet, xmp(6))
        ),
        "png raw profile without orientation": png_with_text(
            ("zTXt", "Raw profile type exif", raw_profile(no_orientation.tobytes())), ("iTXt", packet, xmp(4))
        ),
        "webp exif": encoded(small, "WEBP", lossless=True, exif=exif(6)),
        "webp xmp": encoded(small, "WEBP", lossless=True, xmp=xmp(8).encode()),
        "tiff xmp": encoded(small, "TIFF", tiffinfo={700: xmp(6).encode()}),
        "tiff orientation 1 before xmp": encoded(small, "TIFF", tiffinfo={274: 1, 700: xmp(6).encode()}),
    }
    for orientation in range(1, 9):
        files[f"tiff orientation {orientation}"] = encoded(small, "TIFF", tiffinfo={274: orientation})
    return files


def with_alpha(image):
    alpha = image.convert("RGBA")
    alpha.putalpha(image.convert("L"))
    return alpha


def webp_files():
    rgb = photo(15, 9)
    second = noise("second frame", 9, 5)
    frame = Image.new("RGBA", (15, 9), (0, 0, 0, 0))
    frame.paste(second, (4, 3))
    return {
        "webp lossy": encoded(rgb, "WEBP", quality=80),
        "webp lossless": encoded(rgb, "WEBP", lossless=True),
        "webp lossy with alpha": encoded(with_alpha(rgb), "WEBP", quality=60),
        "webp lossless with alpha": encoded(with_alpha(rgb), "WEBP", lossless=True, exact=True),
        "webp animated": encoded(rgb, "WEBP", save_all=True, append_images=[rgb.rotate(180)], lossless=True),
        "webp animated, small first frame": encoded(
            frame, "WEBP", save_all=True, append_images=[with_alpha(rgb)], lossless=True
        ),
    }


def bmp(bits, width, height, pixels, palette=(), compression=0, masks=(), header=40, colours=None, offset=None):
    """A Windows bitmap; `palette` holds (red, green, blue)."""
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
        colour_map = b"".join(bytes((b, g, r)) for r, g, b in palette)
    else:
        count = len(palette) if colours is None else colours
        info = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, len(pixels), 0, 0, count, 0)
        info += b"".join(struct.pack("<I", mask) for mask in masks)
        info += bytes(max(0, header - len(info)))
        colour_map = b"".join(bytes((b, g, r, 0)) for r, g, b in palette)
    begin = 14 + len(info) + len(colour_map) if offset is None else offset
    return b"BM" + struct.pack("<IHHI", begin + len(pixels), 0, 0, begin) + info + colour_map + pixels


def bmp_files():
    rgb = photo(11, 7)
    words = formula.integers("bmp words", 10 * 6, 65536).astype("<u2").tobytes()
    quads = formula.integers("bmp quads", 11 * 6 * 4, 256).astype(np.uint8).tobytes()
    indices = formula.integers("bmp indices", 12 * 7, 6).astype(np.uint8).tobytes()
    nibbles = formula.integers("bmp nibbles", 8 * 7, 256).astype(np.uint8).tobytes()
    palette = [(10, 20, 30), (200, 100, 50), (1, 2, 3), (255, 254, 253), (0, 128, 64), (90, 80, 70)]
    sixteen = [(i * 16, 255 - i * 3, i * 7) for i in range(16)]
    run8 = bytes([5, 1, 0, 3, 2, 3, 4, 0, 0, 0, 0, 2, 2, 1, 9, 5, 0, 0, 11, 2, 0, 0, 0, 1])
    run4 = bytes([7, 0x12, 0, 4, 0x34, 0x50, 0, 0, 11, 0x21, 0, 0])
    run4 += bytes([0, 5, 0x12, 0x34, 0x50, 0, 6, 0x31, 0, 0, 11, 0x45, 0, 0, 0, 1])
    return {
        "bmp 24": encoded(rgb, "BMP"),
        "bmp 32": encoded(with_alpha(rgb), "BMP"),
        "bmp grey": encoded(rgb.convert("L"), "BMP"),
        "bmp one bit": encoded(rgb.convert("1"), "BMP"),
        "bmp palette": encoded(rgb.quantize(40), "BMP"),
        "bmp palette of six": bmp(8, 11, 7, indices, palette),
        "bmp colours beyond the palette": bmp(8, 11, 7, indices, palette[:3]),
        "bmp palette of greys, too short": bmp(8, 11, 7, indices, [(i, i, i) for i in range(4)]),
        "bmp offset without the palette": bmp(8, 11, 7, indices, palette, offset=54),
        "bmp four bits": bmp(4, 11, 7, nibbles, sixteen),
        "bmp one bit, two colours": bmp(1, 11, 7, nibbles[: 4 * 7], palette[:2]),
        "bmp top-down": bmp(24, 5, -3, quads[: 16 * 3]),
        "bmp 16": bmp(16, 10, 6, words),
        "bmp 16, masks 5 6 5": bmp(16, 10, 6, words, compression=3, masks=(0xF800, 0x7E0, 0x1F)),
        "bmp 16, masks 5 5 5": bmp(16, 10, 6, words, compression=3, masks=(0x7C00, 0x3E0, 0x1F)),
        "bmp 32, masks BGRX": bmp(32, 11, 6, quads, compression=3, masks=(0xFF0000, 0xFF00, 0xFF)),
        "bmp 32, masks XBGR": bmp(32, 11, 6, quads, compression=3, masks=(0xFF000000, 0xFF0000, 0xFF00)),
        "bmp 32, masks in a header of 124": bmp(
            32, 11, 6, quads, compression=3, masks=(0xFF, 0xFF00, 0xFF0000, 0xFF000000), header=124
        ),
        "bmp OS/2": bmp(8, 11, 7, indices, palette, header=12, offset=14 + 12 + 3 * 256)[:44]
        + bytes(3 * 250)
        + indices,
        "bmp RLE8": bmp(8, 11, 4, run8, palette, compression=1),
        "bmp RLE4": bmp(4, 11, 4, run4, sixteen, compression=2),
    }


def gif_files():
    rgb = photo(15, 9)
    palette = rgb.quantize(20)
    frame = noise("gif frame", 9, 5).quantize(8)

    def placed(image, left, top, width, height, **options):
        """The first frame of `image` moved to (left, top) of a larger canvas."""
        data = bytearray(encoded(image, "GIF", **options))
        struct.pack_into("<HH", data, 6, width, height)
        at = data.index(b"," + struct.pack("<HHHH", 0, 0, *image.size))
        struct.pack_into("<HH", data, at + 1, left, top)
        return bytes(data)

    return {
        "gif": encoded(palette, "GIF", interlace=0),
        "gif interlaced": encoded(palette, "GIF", interlace=1),
        "gif grey": encoded(rgb.convert("L"), "GIF"),
        "gif transparent": encoded(palette, "GIF", transparency=3),
        "gif on a larger canvas": placed(frame, 4, 3, 15, 9),
        "gif transparent, on a larger canvas": placed(frame, 4, 3, 15, 9, transparency=2),
        "gif beyond its canvas": placed(frame, 4, 3, 8, 6),
        "gif animated": encoded(palette, "GIF", save_all=True, append_images=[rgb.rotate(180).quantize(9)]),
    }


def tiff(pieces, order="<", **tags):
    """A TIFF; tags are t256=(type, values). `pieces` are its strips, or its tiles if tags say so."""
    offsets, counts = ("t324", "t325") if "t322" in tags else ("t273", "t279")
    tags[counts] = (4, [len(piece) for piece in pieces])
    tags[offsets] = (4, [0] * len(pieces))  # known once the tags' size is
    codes = {3: "H", 4: "I"}

    def packed(key):
        kind, values = tags[key]
        return struct.pack(order + codes[kind] * len(values), *values)

    after = 8 + 2 + 12 * len(tags) + 4
    begin = after + sum(len(packed(key)) for key in tags if len(packed(key)) > 4)
    tags[offsets] = (4, [begin + sum(tags[counts][1][:i]) for i in range(len(pieces))])
    directory, extra = b"", b""
    for key in sorted(tags, key=lambda k: int(k[1:])):
        value = packed(key)
        if len(value) > 4:
            extra += value
            value = struct.pack(order + "I", after + len(extra) - len(value))
        directory += struct.pack(order + "HHI", int(key[1:]), tags[key][0], len(tags[key][1])) + value.ljust(4, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HIH", 42, 8, len(tags))
    return head + directory + struct.pack(order + "I", 0) + extra + b"".join(pieces)


def sized(width, height, photometric, bits, **more):
    return dict(
        t256=(3, [width]), t257=(3, [height]), t258=(3, bits), t259=(3, [1]), t262=(3, [photometric]),
        t277=(3, [len(bits)]), **more,
    )


def tiff_files():
    rgb = photo(15, 9)
    samples = formula.integers("tiff samples", 11 * 6 * 8, 256).astype(np.uint8).tobytes()
    files = {
        "tiff rgb": encoded(rgb, "TIFF"),
        "tiff grey": encoded(rgb.convert("L"), "TIFF"),
        "tiff one bit": encoded(rgb.convert("1"), "TIFF"),
        "tiff palette": encoded(rgb.quantize(40), "TIFF"),
        "tiff rgb and alpha": encoded(with_alpha(rgb), "TIFF"),
        "tiff grey and alpha": encoded(rgb.convert("LA"), "TIFF"),
        "tiff cmyk": encoded(rgb.convert("CMYK"), "TIFF"),
        "tiff pages": encoded(rgb, "TIFF", save_all=True, append_images=[photo(5, 5)]),
        "tiff big": encoded(rgb, "TIFF", big_tiff=True),
        "jpeg in tiff": encoded(rgb, "TIFF", compression="jpeg"),
        "tiff group 4": encoded(rgb.convert("1"), "TIFF", compression="group4"),
        "tiff big-endian": tiff([samples[: 11 * 6 * 3]], ">", **sized(11, 6, 2, [8, 8, 8])),
        "tiff 16 bits": tiff([samples[: 11 * 6 * 6]], **sized(11, 6, 2, [16, 16, 16])),
        "tiff 16 bits, big-endian": tiff([samples[: 11 * 6 * 6]], ">", **sized(11, 6, 2, [16, 16, 16])),
        "tiff white is 0": tiff([samples[: 11 * 6]], **sized(11, 6, 0, [8])),
        "tiff two bits": tiff([samples[: 3 * 6]], **sized(11, 6, 1, [2])),
        "tiff four bits, white is 0": tiff([samples[: 6 * 6]], **sized(11, 6, 0, [4])),
        "tiff bits in reverse order": tiff([samples[: 2 * 6]], **sized(11, 6, 1, [1], t266=(3, [2]))),
        "tiff premultiplied alpha": tiff([samples[: 11 * 6 * 4]], **sized(11, 6, 2, [8] * 4, t338=(3, [1]))),
        "tiff premultiplied alpha, 16 bits": tiff([samples], **sized(11, 6, 2, [16] * 4, t338=(3, [1]))),
        "tiff two more channels": tiff([samples[: 11 * 6 * 5]], **sized(11, 6, 2, [8] * 5, t338=(3, [0, 0]))),
        "tiff palette of four bits": tiff(
            [samples[: 6 * 6]],
            **sized(11, 6, 3, [4], t320=(3, [i * 1031 % 65536 for i in range(48)])),
        ),
    }
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        files[f"tiff {compression}"] = encoded(rgb, "TIFF", compression=compression)
    planes = [samples[i : i + 66] for i in (0, 66, 132)]
    files["tiff planes"] = tiff(planes, **sized(11, 6, 2, [8, 8, 8], t284=(3, [2])))
    wide = photo(19, 9)
    tiles = [wide.crop((x, 0, x + 16, 16)).tobytes() for x in (0, 16)]
    files["tiff tiles"] = tiff(tiles, **sized(19, 9, 2, [8, 8, 8], t322=(3, [16]), t323=(3, [16])))
    strips = [samples[i : i + 66] for i in (0, 66, 132)]
    files["tiff strips"] = tiff(strips, **sized(11, 6, 2, [8, 8, 8], t278=(3, [2])))
    return files


def main():
    webp_bmp_gif = {**webp_files(), **bmp_files(), **gif_files()}
    contents = {"data_orientation.json": orientation_files(), "data_webp_bmp_gif.json": webp_bmp_gif,
                "data_tiff.json": tiff_files()}
    problems = []
    for name, files in contents.items():
        path = os.path.join(HERE, name)
        content = {
            "format": 1,
            "made_by": "make_images.py: files read by Pillow",
            "versions": {"Pillow": PIL.__version__},
            "cases": decoded(files),
        }
        if "--verify" in sys.argv[1:]:
            with open(path, encoding="ascii") as file:
                formula.compare(name, json.load(file), content, 0, problems)
        else:
            formula.write(path, content)
            print(f"{name}: {os.path.getsize(path)} bytes")
    print("\n".join(problems[:50]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
