#!/usr/bin/env python3
"""Writes the first files of tests/fuzz/corpus: small valid ones of every kind, from which `./dev fuzz` goes on.

    tests/fuzz/make_seeds.py OUT     # needs Pillow and numpy; OUT/TARGET/NAME

The committed corpus is what libFuzzer's -merge=1 kept of these and of what it found.
"""
import io
import pathlib
import struct
import sys
import tarfile

import numpy
from PIL import Image, PngImagePlugin

out = pathlib.Path(sys.argv[1])
tests = pathlib.Path(__file__).resolve().parent.parent


def write(target, name, content):
    folder = out / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def saved(image, **options):
    stream = io.BytesIO()
    image.save(stream, **options)
    return stream.getvalue()


def short(content):
    """A part with its length in front, as the targets read it."""
    content = content if isinstance(content, bytes) else content.encode()
    return struct.pack("<H", len(content)) + content


# ---- photographs ----
random = numpy.random.RandomState(1)
rgb = Image.fromarray(random.randint(0, 256, (10, 13, 3), dtype=numpy.uint8), "RGB")
smooth = Image.fromarray((numpy.mgrid[0:20, 0:24].sum(0) * 5).astype(numpy.uint8), "L").convert("RGB")
exif = Image.Exif()
exif[0x0112] = 6
xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="3"/></x:xmpmeta>'

write("jpeg", "plain", saved(rgb, format="JPEG"))
write("jpeg", "exif", saved(smooth, format="JPEG", exif=exif))
write("jpeg", "progressive", saved(smooth, format="JPEG", progressive=True))
write("jpeg", "grey", saved(rgb.convert("L"), format="JPEG"))
write("jpeg", "cmyk", saved(rgb.convert("CMYK"), format="JPEG"))
write("jpeg", "restarts", saved(smooth, format="JPEG", restart_marker_blocks=1, subsampling=2))
for mode in ["RGB", "L", "1", "P", "RGBA", "LA", "I;16"]:
    name = mode.lower().replace(";", "")
    write("png", name, saved(rgb.convert("I").convert(mode) if mode == "I;16" else rgb.convert(mode), format="PNG"))
text = PngImagePlugin.PngInfo()
text.add_text("Raw profile type exif", "\nexif\n 8\n4d4d002a00000008\n")
text.add_itxt("XML:com.adobe.xmp", xmp.decode())
write("png", "text", saved(rgb, format="PNG", pnginfo=text, exif=exif))
for kind in range(0, 7):  # the target's own form: sides, depth, kind, then chunks
    for depth in (1, 8, 16):
        rows = bytes(random.randint(0, 3, 200, dtype=numpy.uint8))
        write("png", f"own_{kind}_{depth}", bytes([9, 7, depth, kind, 0, 0, kind % 2]) + b"\2" + short(bytes(range(24)))
              + b"\0" + short(rows[:0]) + b"\1" + b"\0" + short(b"") + b"\1" + b"\0" + short(rows) + b"\1")
for name, options in {"lossy": {}, "lossless": {"lossless": True}, "exif": {"exif": exif, "xmp": xmp}}.items():
    write("webp", name, saved(smooth, format="WEBP", **options))
write("webp", "alpha", saved(rgb.convert("RGBA"), format="WEBP"))
frames = [rgb, rgb.rotate(180)]
write("webp", "animation", saved(frames[0], format="WEBP", save_all=True, append_images=frames[1:]))
write("gif", "plain", saved(smooth.convert("P"), format="GIF"))
write("gif", "interlaced", saved(rgb.convert("P"), format="GIF", interlace=1, transparency=3))
write("gif", "animation", saved(frames[0], format="GIF", save_all=True, append_images=frames[1:]))
for compression in ["raw", "tiff_lzw", "tiff_deflate", "packbits", "jpeg", "lzma", "zstd", "webp", "tiff_ccitt"]:
    page = rgb.convert("1") if compression == "tiff_ccitt" else rgb
    try:
        write("tiff", compression, saved(page, format="TIFF", compression=compression))
    except Exception as problem:  # a Pillow without that codec
        print("left out:", compression, problem)
for mode in ["L", "1", "P", "RGBA", "CMYK", "YCbCr", "I;16"]:
    page = rgb.convert("I").convert(mode) if mode == "I;16" else rgb.convert(mode)
    write("tiff", "mode_" + mode.lower().replace(";", ""), saved(page, format="TIFF"))
write("tiff", "orientation", saved(rgb, format="TIFF", tiffinfo={0x0112: 6, 700: xmp}))
for mode in ["RGB", "L", "1", "P", "RGBA"]:
    write("bmp", mode.lower(), saved(rgb.convert(mode), format="BMP"))


def bmp(bits, compression, pixels, size=40, colours=0):
    head = struct.pack("<IiiHHIIiiII", 40, 9, 5, 1, bits, compression, len(pixels), 0, 0, colours, 0)
    palette = bytes(range(4 * 16)) if bits <= 8 else struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + 40 + len(palette)) + head + palette + pixels


write("bmp", "rle8", bmp(8, 1, b"\5\1\4\2\0\0\0\3\1\2\3\0\0\2\1\1\0\1", colours=16))
write("bmp", "rle4", bmp(4, 2, b"\5\x12\4\x34\0\0\0\5\x12\x34\x50\0\0\2\1\1\0\1", colours=16))
write("bmp", "masks", bmp(16, 3, bytes(100)))
block = exif.tobytes()
write("orientation", "exif", short(block) + xmp)
write("orientation", "raw", short(block[6:]) + b"\nexif\n 8\n4d4d002a00000008\n")
for name in ["html", "json", "svg"]:
    write("orientation", name, {"html": "<!DOCTYPE html><html>", "json": '{"a": 1}', "svg": "<?xml?><svg>"}[name])
for target, name in [("jpeg", "plain"), ("jpeg", "progressive"), ("png", "rgb"), ("webp", "lossy"),
                     ("webp", "lossless"), ("webp", "animation"), ("gif", "plain"), ("tiff", "raw"), ("bmp", "rgb")]:
    write("image_header", f"{target}_{name}", (out / target / name).read_bytes())

# ---- weights ----
for path in sorted((tests / "weights" / "files").iterdir()):
    target = "safetensors" if path.suffix == ".safetensors" else "pth"
    write(target, path.name, path.read_bytes())
header = '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"__metadata__":{"format":"pt"}}'
write("safetensors", "header", header.encode() + b"\0" + bytes(8))
write("safetensors", "types", ",".join(
    f'"{t}":{{"dtype":"{t}","shape":[1,1,1,1],"data_offsets":[{8 * i},{8 * i + 8}]}}'
    for i, t in enumerate(["F64", "I64"])).join("{}").encode() + b"\0" + bytes(16))
write("safetensors", "index.json", '{"metadata":{},"weight_map":{"a":"../b.safetensors"}}')
for kind in range(4):
    for seed in range(6):
        body = bytes(numpy.random.RandomState(seed).randint(0, 256, 120, dtype=numpy.uint8))
        write("pickle", f"random_{kind}_{seed}", bytes([kind]) + bytes([16]) + bytes(16) + bytes([4]) + bytes(4) + body)
write("zip", "pth", bytes(32) + b"\0" + short(b"\x80\2}.") + b"\1" + short(bytes(16)) + b"\x84" + short("little"))
write("zip", "deflated", bytes(32) + b"\x83" + short(b"3\n" * 50))
safetensors = struct.pack("<Q", len(header)) + header.encode() + bytes(8)
write("wheel", "stored", bytes(17) + safetensors)
write("wheel", "deflated", bytes(16) + b"\1" + safetensors.replace(b'"a"', b'"weight"'))
write("wheel", "whole", bytes(17) + struct.pack("<Q", 60)
      + b'{"weight":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}' + bytes(16))
names = ["conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "fc.weight", "fc.bias", "head.fc.weight"]
write("names", "plain", "\0" + "\n".join(names))
write("names", "prefix", "\1" + "\n".join("module.encoder." + name for name in names))
timm = ["conv_stem.weight", "bn1.weight", "blocks.0.0.conv_dw.weight", "classifier.weight"]
write("names", "timm", "\5" + "\n".join(timm))

# ---- tables ----
write("csv", "plain", 'path,label\n"a,b.png",cat\r\n1.png,"do""g"\n')
write("csv", "semicolons", "sep=;\npath;label\n1.png;cat\n")
write("csv", "utf16", "\ufeffpath\tlabel\n1.png\tk\u00e4tzchen\n".encode("utf-16-le"))
write("csv", "utf16be", "\ufeffpath,label\n\U0001f431,x\n".encode("utf-16-be"))
write("labels", "plain", "\0path,label,group\n1.png,cat,a\ndeep/2.png,dog,b\n")
write("labels", "names", "\0id_code,diagnosis\n1,0\n2,1\n")
write("labels", "leaves", "\0path,label\n../1.png,cat\n/etc/passwd,dog\n")
write("labels", "people", "\1id,gender,race,age,path\n000001,female,Asian,45,000001_female_Asian_45\n")
rows = ["cat/1.png,0", "cat/2.png,1", "dog/1.png,0", "./dog/2.png,1"]
write("folds", "folds", "\0path,fold\n" + "\n".join(rows))
write("folds", "groups", "\1path,group\n" + "\n".join(rows))
write("corrections", "all", "path,label,action,new_label\n"
      "cat/1.png,cat,keep,\ncat/2.png,cat,relabel,dog\ndog/1.png,dog,drop,\n")

# ---- shards: a kind, then an archive, its members, or index.csv ----
def member(name, content, kind=0, *fields):
    content = content if isinstance(content, bytes) else content.encode()
    return bytes([len(name)]) + name.encode() + bytes([kind]) + b"".join(fields) + short(content)


def tar(name, content):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=name) as archive:
        for path, data in content.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()[:6144]


tiny = saved(Image.new("RGB", (2, 2)), format="PNG")
sample = member("a/1.png", tiny) + member("a/1.cls", "0") + member("a/1.json", '{"label": "cat", "group": 7}')
write("shards", "members", b"\1" + sample + member("2.png", tiny) + member("2.cls", "dog"))
write("shards", "links", b"\1" + member("1.png", "", 9, b"2", b"\4/etc") + member("d/", "", 1, b"5"))
write("shards", "gnu", b"\1" + member("././@LongLink", "n" * 130 + ".png\0", 1, b"L") + member("n", tiny))
write("shards", "pax", b"\1" + member("x", "20 path=\u00e9/long.png\n", 1, b"x") + member("n", tiny))
write("shards", "size", b"\1" + member("1.png", tiny, 2, b"\x0b77777777777"))
write("shards", "sparse", b"\1" + member("1.png", tiny, 1, b"S"))
write("shards", "names", b"\1" + member("../1.png", tiny) + member("/1.png", tiny))
write("shards", "table", b"\xc1" + sample + member("b/1.png", tiny) + b"\0\0\0")
many = {"a/1.png": tiny, "a/1.cls": b"0", "b" * 120 + "/2.png": tiny, "b" * 120 + "/2.cls": b"1"}
write("shards", "python_gnu", b"\0" + tar(tarfile.GNU_FORMAT, many))
write("shards", "python_pax", b"\0" + tar(tarfile.PAX_FORMAT, many))
write("shards", "index", b"\2shard,member,offset,bytes,crc32,label,group\na.tar,a/1.png,512,4,,cat,\n"
      b"a.tar,a/1.cls,1536,1,00000000,dog,g\n")

# ---- TOML ----
write("config", "options", 'model = "resnet18"\nepochs = 3\nseed = "18446744073709551615"\nfold = 0\n'
      'learning-rate = 1e-3\nreport-subset = ["a*", "b"]\nema = 0.9\nmixup = 0.2\n')
write("config", "recorded", '[recorded]\nlayout = "folder"\nclasses = ["a", "b"]\nfolds = 2\ngrouped = true\n'
      'data_in_run = "x"\n')
write("config", "transforms", 'augment = "mine"\n[[transform]]\nname = "rotate"\nprobability = 0.5\n')
write("config", "nested", "a = " + "[" * 50 + "]" * 50)
write("augmentation", "two", '[[transform]]\nname = "flip"\n[[transform]]\nname = "rotate"\ndegrees = [-10, 10.5]\n')
write("augmentation", "inline", 'transform = [{name = "brightness", probability = 1, factor = [0.5, 1.5]}]\n')

# ---- run folders, checkpoints, standard input ----
confusion = '{"fold":0,"best_epoch":1,"epochs":1,"steps":2,"val_loss":0.5,' \
            '"confusion_matrix":[[1,0],[1,0]],"subsets":{},"majority_macro_f1":0.3,' \
            '"weights_hash":"a","last_weights_hash":"b","seconds":1,"training_seconds":1,' \
            '"images_trained":2,"peak_memory_bytes":1}'
epoch = '{"fold":0,"epoch":1,"step":1,"loss":1,"accuracy":0.5,"val_loss":1,"val_accuracy":0.5,"val_macro_f1":0.3,' \
        '"learning_rate":0.1,"trainable_parameters":10,"seconds":1,"images_per_second":2,"best":true}\n'
summary = '{"class_names":["cat","dog"]}'
write("run_folder", "fold", b"P\4" + short(confusion) + b"\2" + short(epoch) + b"\3" + short(summary))
sparse = confusion.replace("[[1,0],[1,0]]", '{"classes":2,"counts":["0 0 1"]}')
write("run_folder", "sparse", b"\0\4" + short(sparse))
write("run_folder", "unreadable", b"\0\6" + short("path,reason\ndog/3.png,damaged\n") + b"\7"
      + short("path,label,action,new_label\ncat/1.png,cat,drop,\n"))
steps = "epoch,step,loss,learning_rate,gradient_norm\n1,1,1,1,1\n1,20,1,1,1\n"
write("run_folder", "steps", b"\0\11" + short(steps))
write("run_folder", "choices", b"\0\12" + short(
    "pass,algorithm,n,h,w,c,k,r,s,stride,padding,dilation,groups\nforward,direct,1,8,8,3,8,3,3,1,1,1,1\n"))
card = '{"resize":0,"image_size":32,"mean":[0,0,0],"stddev":[1,1,1],"grayscale":false,"filter":"bilinear"}'
write("checkpoint", "card", b"\0\3" + short("[8,4]") + b"\4" + short(card))
write("checkpoint", "face", b"\0\4" + short(card[:-1] + ',"crop":"face","face_margin":0.1,"face_finder":"mtcnn"}'))
write("checkpoint", "state", b"\1\6" + short('{"a":1.5}') + b"\7" + short('{"b":2}') + b"\10" + short('{"c":"d"}'))
write("standard_input", "names", short("ImageID\n1.png\n") + b"1.png\ndeep\n\nmissing.jpg\r\n")
write("standard_input", "table", short("ImageID,ans\n1.png,0\ndeep/2.png,1\n") + b"table.csv")
