"""Makes the golden files of MTCNN with facenet-pytorch 2.6.0, which ./dev golden does not install: it asks for an old
torch, and works with a new one after `pip install --no-deps facenet-pytorch==2.6.0`.

    python3 mtcnn_faces.py networks       writes nn_mtcnn.json: the three networks with formula weights
    python3 mtcnn_faces.py boxes FOLDER   writes faces_boxes.json: boxes in photographs of the data sets in FOLDER
"""

import json
import pathlib
import sys
import types

import torch
from PIL import Image, ImageOps

import formula

# The package imports a client of HTTP only to download other networks.
for name in ("requests", "requests.adapters"):
    sys.modules.setdefault(name, types.ModuleType(name))
sys.modules["requests.adapters"].HTTPAdapter = object
from facenet_pytorch import MTCNN  # noqa: E402
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
IMAGES = {"pnet": [2, 3, 21, 30], "rnet": [3, 3, 24, 24], "onet": [3, 3, 48, 48]}
FOLDERS = {"competition-mini": 13, "masks3": 8}  # photographs of each, spread over the sorted list


def write(name, content):
    (HERE / name).write_text(json.dumps({"format": 1, **content}, indent=1) + "\n")


def networks():
    content = {}
    for name, kind in (("pnet", PNet), ("rnet", RNet), ("onet", ONet)):
        network = kind(pretrained=False).double()
        prefix = f"mtcnn/{name}/"
        for key, value in network.state_dict().items():
            shape = list(value.shape)
            if "prelu" in key:
                numbers = formula.tensor(prefix + key, shape, formula.spread_of(0.1, 14), 14, 2**12)
            else:
                numbers = formula.parameter(key, prefix + key, shape)
            value.copy_(torch.tensor(numbers))
        spread = formula.spread_of(0.5, 12)
        images = torch.tensor(formula.tensor(prefix + "images", IMAGES[name], spread, 12), dtype=torch.float64)
        with torch.no_grad():
            out = network(images)
        order = {"probabilities": out[-1], "boxes": out[0]}
        if len(out) == 3:
            order["landmarks"] = out[1]
        content[name] = {
            "images": {"shape": IMAGES[name], "spread": spread, "bits": 12, "center": 0},
            "outputs": {key: formula.fingerprint(f"{prefix}{key}", value.numpy()) for key, value in order.items()},
        }
    write("nn_mtcnn.json", {"networks": content})


def some_of(folder, count):
    files = sorted(p for p in folder.rglob("*") if p.suffix in (".jpg", ".jpeg") and not p.name.startswith("."))
    step = len(files) // count - 1
    while step % 7 == 0:  # a person of the competition has seven photographs of fixed names
        step -= 1
    return files[::step][:count]


def boxes(folder):
    detector = MTCNN(keep_all=True)
    root = pathlib.Path(folder)
    content = []
    for path in [path for name, count in FOLDERS.items() for path in some_of(root / name, count)]:
        image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        found, probabilities, landmarks = detector.detect(image, landmarks=True)
        faces = []
        for box, probability, points in zip(*((found, probabilities, landmarks) if found is not None else ([],) * 3)):
            faces.append({"box": [round(float(v), 3) for v in box], "probability": round(float(probability), 5),
                          "landmarks": [[round(float(v), 3) for v in point] for point in points]})
        content.append({"file": str(path.relative_to(root)), "faces": faces})
    write("faces_boxes.json", {"photographs": content})


if __name__ == "__main__":
    if sys.argv[1:] == ["networks"]:
        networks()
    elif len(sys.argv) == 3 and sys.argv[1] == "boxes":
        boxes(sys.argv[2])
    else:
        sys.exit(__doc__)
