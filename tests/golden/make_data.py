"""Goldens of the data room: scikit-learn's folds, Pillow's decoding and resizing, torchvision's transforms.

    python3 make_data.py            writes data_{splits,resize,decode,transforms}.json
    python3 make_data.py --verify   makes them again and compares

Labels, groups and pixels come from formula.py, which tests/golden/golden.h computes alike, so the
files hold results only (pixels and encoded files as base64).
"""

import base64
import io
import json
import os
import sys
import types
import warnings

import numpy as np
import PIL
import sklearn
import torch
import torchvision
from PIL import Image, ImageOps
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from torchvision.transforms import RandAugment, functional, v2
from torchvision.transforms.autoaugment import _apply_op

import formula

HERE = os.path.dirname(os.path.abspath(__file__))


def text(data):
    return base64.b64encode(bytes(data)).decode()


def pixels_of(image):
    return text(np.asarray(image.convert("RGB"), dtype=np.uint8).tobytes())


# ---- folds ----


def labels_of(name, count, shares):
    """Class c where the running sum of `shares` (in thousandths) first exceeds a draw below 1000."""
    return np.searchsorted(np.cumsum(shares), formula.integers(name + "/label", count, 1000), side="right")


def split_cases():
    """name -> (count, shares in thousandths, number of groups, folds)"""
    cases = {
        "two even": (40, [500, 500], 12, 2),
        "one class": (23, [1000], 9, 4),
        "tiny classes": (60, [930, 40, 30], 25, 5),
        "like masks3": (1874, [598, 323, 79], 1300, 5),
        "like the competition":
            (1050, [138, 100, 43, 190, 186, 57, 28, 20, 9, 38, 37, 11, 28, 20, 9, 38, 37, 11], 150, 5),
        "eight classes": (160, [125] * 8, 50, 3),
        "nine classes": (170, [111] * 8 + [112], 60, 4),
        "many classes": (900, [6] * 150 + [100], 200, 5),
        "many folds": (120, [300, 700], 40, 11),
        "groups as many as folds": (50, [400, 600], 5, 5),
    }
    for i in range(60):
        draw = [int(d) for d in formula.hashes(f"case {i}", 24)]
        classes = 2 + draw[0] % 7
        weights = [1 + draw[1 + c] % (3 + draw[9] % 30) for c in range(classes)]
        shares = [w * 1000 // sum(weights) for w in weights]
        shares[-1] += 1000 - sum(shares)
        folds = 2 + draw[11] % 7
        count = 40 + draw[10] % 120
        cases[f"random {i}"] = (count, shares, max(folds, 3 + draw[12] % count), folds)
    return cases


def folds_of(splitter, labels, groups):
    result = np.full(len(labels), -1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # classes smaller than the number of folds
        for fold, (_, test) in enumerate(splitter.split(np.zeros(len(labels)), labels, groups)):
            result[test] = fold
    assert result.min() >= 0
    return "".join(chr(ord("a") + fold) for fold in result)


def make_splits():
    cases = {}
    for name, (count, shares, group_count, folds) in split_cases().items():
        labels = labels_of(name, count, shares)
        groups = np.array([f"g{g}" for g in formula.integers(name + "/group", count, group_count)])
        case = {"count": count, "shares": shares, "groups": group_count, "folds": folds}
        if max(np.bincount(labels)) >= folds:
            case["plain"] = folds_of(StratifiedKFold(folds), labels, None)
            if len(np.unique(groups)) >= folds:
                case["grouped"] = folds_of(StratifiedGroupKFold(folds), labels, groups)
        cases[name] = case
    return {
        "format": 1,
        "made_by": "make_data.py: StratifiedKFold and StratifiedGroupKFold without shuffling",
        "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
        "cases": cases,
    }


# ---- resizing ----


def noise(name, width, height):
    """Independent pixels over the full range: the hardest input for rounding and clipping."""
    values = formula.integers(name, width * height * 3, 256).astype(np.uint8)
    return Image.fromarray(values.reshape(height, width, 3), "RGB")


def make_resize():
    cases = {}
    for width, height, new_width, new_height in [
        (37, 23, 16, 16),
        (16, 16, 41, 29),
        (64, 48, 10, 33),
        (5, 200, 24, 24),
        (33, 17, 33, 9),
        (33, 17, 11, 17),
        (1, 1, 7, 5),
        (7, 5, 1, 1),
        (60, 50, 32, 32),
        (40, 40, 36, 31),
        (40, 40, 36, 32),
        (20, 30, 31, 25),
    ]:
        name = f"{width}x{height} to {new_width}x{new_height}"
        image = noise(name, width, height)
        for filter_name, resample in [("bilinear", Image.Resampling.BILINEAR), ("bicubic", Image.Resampling.BICUBIC)]:
            cases[f"{name} {filter_name}"] = {
                "name": name,
                "from": [width, height],
                "to": [new_width, new_height],
                "filter": filter_name,
                "pixels": pixels_of(image.resize((new_width, new_height), resample)),
            }
    versions = {"Pillow": PIL.__version__}
    return {"format": 1, "made_by": "make_data.py: Image.resize", "versions": versions, "cases": cases}


# ---- decoding ----


def photo(width, height):
    """Smooth with some detail, like a photograph."""
    small = noise("photo", 6, 5).resize((width, height), Image.Resampling.BICUBIC)
    grain = np.asarray(noise("grain", width, height), dtype=np.int16) // 16 - 8
    mixed = np.clip(np.asarray(small, dtype=np.int16) + grain, 0, 255).astype(np.uint8)
    return Image.fromarray(mixed, "RGB")


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def decode_files():
    rgb = photo(21, 13)
    files = {
        "jpeg 4:2:0": encoded(rgb, "JPEG", quality=85),
        "jpeg 4:2:2": encoded(rgb, "JPEG", quality=85, subsampling=1),
        "jpeg 4:4:4": encoded(rgb, "JPEG", quality=85, subsampling=0),
        "jpeg progressive": encoded(rgb, "JPEG", quality=60, progressive=True),
        "jpeg coarse": encoded(rgb, "JPEG", quality=5),
        "jpeg grey": encoded(rgb.convert("L"), "JPEG"),
        "jpeg cmyk": encoded(rgb.convert("CMYK"), "JPEG", quality=85),
        "jpeg rgb": encoded(rgb, "JPEG", quality=85, keep_rgb=True),
        "png rgb": encoded(rgb, "PNG"),
        "png grey": encoded(rgb.convert("L"), "PNG"),
        "png one bit": encoded(rgb.convert("1"), "PNG"),
        "png palette, two bits": encoded(rgb.convert("L").quantize(4), "PNG", bits=2),
        "png palette": encoded(rgb.quantize(40), "PNG"),
        "png palette, transparent": encoded(rgb.quantize(40), "PNG", transparency=3),
        "png grey and alpha": encoded(rgb.convert("LA"), "PNG"),
        "png rgb, one colour transparent": encoded(rgb, "PNG", transparency=rgb.getpixel((3, 3))),
        "png orientation 6": encoded(rgb, "PNG", exif=exif(6)),
    }
    alpha = rgb.convert("RGBA")
    alpha.putalpha(rgb.convert("L"))
    files["png rgb and alpha"] = encoded(alpha, "PNG")
    for orientation in range(1, 9):
        files[f"jpeg orientation {orientation}"] = encoded(photo(11, 7), "JPEG", exif=exif(orientation))
    return files


def decoded(files):
    """name -> the file, its size and its pixels as Pillow shows them."""
    cases = {}
    for name, data in files.items():
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
        cases[name] = {"file": text(data), "size": list(image.size), "pixels": pixels_of(image)}
    return cases


def make_decode():
    return {
        "format": 1,
        "made_by": "make_data.py: files written and read by Pillow",
        "versions": {"Pillow": PIL.__version__},
        "cases": decoded(decode_files()),
    }


# ---- transforms ----


def make_transforms():
    """torchvision on Pillow images, so Pillow's ImageEnhance, ImageOps and transform; blur on tensors."""
    image = photo(16, 12)
    cases = {}

    def add(name, result, *parameters):
        if isinstance(result, Image.Image):
            result = np.asarray(result.convert("RGB"))
        cases[name] = {"parameters": list(parameters), "pixels": text(np.ascontiguousarray(result).tobytes())}

    for factor in (0.0, 0.35, 1.0, 1.9):
        add(f"brightness {factor}", functional.adjust_brightness(image, factor), factor)
        add(f"contrast {factor}", functional.adjust_contrast(image, factor), factor)
        add(f"saturation {factor}", functional.adjust_saturation(image, factor), factor)
        add(f"sharpness {factor}", functional.adjust_sharpness(image, factor), factor)
    for shift in (-0.5, -0.1, 0.07, 0.4):
        add(f"hue {shift}", functional.adjust_hue(image, shift), shift)
    add("grayscale", functional.to_grayscale(image, 3))
    dull = functional.adjust_contrast(image, 0.4)
    add("autocontrast", functional.autocontrast(dull))
    add("equalize", functional.equalize(dull))
    for bits in (1, 4, 8):
        add(f"posterize {bits}", functional.posterize(image, bits), bits)
    for threshold in (0, 100, 256):
        add(f"solarize {threshold}", functional.solarize(image, threshold), threshold)
    add("invert", functional.invert(image))
    for kernel, sigma in ((3, 0.8), (7, 2.5), (1, 1.0)):
        tensor = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)
        blurred = functional.gaussian_blur(tensor, [kernel, kernel], [sigma, sigma])
        add(f"blur {kernel} {sigma}", blurred.permute(1, 2, 0).numpy(), kernel, sigma)
    for angle, tx, ty, scale, shear_x, shear_y in (
        (0, 0, 0, 1, 0, 0),
        (30, 0, 0, 1, 0, 0),
        (-100, 0, 0, 1, 0, 0),
        (0, 3, -2, 1, 0, 0),
        (0, 0, 0, 0.7, 0, 0),
        (12, 1, 2, 1.3, 9, -14),
    ):
        result = functional.affine(
            image, angle, [tx, ty], scale, [shear_x, shear_y], functional.InterpolationMode.BILINEAR, fill=[9, 80, 200]
        )
        name = f"affine {angle} {tx} {ty} {scale} {shear_x} {shear_y}"
        add(name, result, angle, tx, ty, scale, shear_x, shear_y)
    add("resized crop", functional.resized_crop(image, 2, 3, 8, 10, [9, 14]), 3, 2, 10, 8, 14, 9)
    add("vertical flip", functional.vflip(image))
    bilinear = functional.InterpolationMode.BILINEAR
    space = RandAugment()._augmentation_space(31, (image.height, image.width))
    for operation, (magnitudes, signed) in space.items():
        for level, sign in ((9, 1), (30, -1 if signed else 1)):
            magnitude = sign * (float(magnitudes[level]) if magnitudes.ndim else 0.0)
            result = _apply_op(image, operation, magnitude, bilinear, [0, 0, 0])
            add(f"operation {operation} {sign * level}", result, level, sign)
    return {
        "format": 1,
        "made_by": "make_data.py: torchvision.transforms.functional",
        "versions": {"torchvision": torchvision.__version__, "Pillow": PIL.__version__},
        "input": pixels_of(image),
        "dull": pixels_of(dull),
        "size": list(image.size),
        "cases": cases,
    }


def make_mix():
    """torchvision's MixUp and CutMix on one batch, with what they drew."""
    images = torch.tensor(formula.tensor("mix", [5, 3, 8, 6], 1000, 8))
    labels = torch.tensor([0, 3, 1, 1, 2])
    torch.manual_seed(4)
    cases = []
    for kind, share in (("mixup", 0.25), ("mixup", 0.9), ("cutmix", 0.3), ("cutmix", 0.75), ("cutmix", 0.9)):
        transform = (v2.MixUp if kind == "mixup" else v2.CutMix)(num_classes=4)
        transform._dist = types.SimpleNamespace(sample=lambda _, drawn=share: torch.tensor(drawn, dtype=torch.float64))
        drawn = {}
        make_params = transform.make_params

        def note(inputs, make=make_params, into=drawn):
            into.update(make(inputs))
            return dict(into)

        transform.make_params = note
        mixed, targets = transform(images.clone(), labels)
        name = f"{kind} {share}"
        cases.append({
            "name": name,
            "own": formula.number(share),
            "box": list(drawn.get("box", [])),
            "images": formula.fingerprint(name, mixed.numpy()),
            "targets": formula.fingerprint(name + " targets", targets.double().numpy()),
        })
    return {
        "format": 1,
        "made_by": "make_data.py: torchvision.transforms.v2",
        "versions": {"torchvision": torchvision.__version__},
        "cases": cases,
    }


def main():
    makers = {"data_splits.json": make_splits, "data_resize.json": make_resize, "data_decode.json": make_decode,
              "data_transforms.json": make_transforms, "data_mix.json": make_mix}
    problems = []
    for name, make in makers.items():
        path = os.path.join(HERE, name)
        content = make()
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
