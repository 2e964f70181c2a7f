"""Writes the weights and images that all engines get to compare their outputs.

    same_inputs.py MODEL CACHE WEIGHTS PHOTOGRAPHS

Writes CACHE/MODEL.pth, a state_dict by torchvision's names, and CACHE/MODEL-images.pth with a tensor "images"
[64,3,224,224]. WEIGHTS is a .pth or .safetensors file (empty: drawn weights, with statistics of the images),
PHOTOGRAPHS a folder (empty: noise). Does nothing where they are there already.
"""

import json
import os
import pathlib
import struct
import sys

import torch
import torchvision

MODEL, CACHE, WEIGHTS, PHOTOGRAPHS = sys.argv[1:]
IMAGES, SIDE = 64, 224
KINDS = {"F32": torch.float32, "I64": torch.int64}


def read_safetensors(path):
    content = pathlib.Path(path).read_bytes()
    begin = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:begin])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        part = bytearray(content[begin + first : begin + last])
        tensors[name] = torch.frombuffer(part, dtype=KINDS[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def read_photographs(folder):
    """Photographs spread over the folder, as torchvision's weights want them."""
    from PIL import Image
    from torchvision import transforms

    prepare = transforms.Compose([
        transforms.Resize((SIDE, SIDE)),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ])
    files = sorted(path for path in pathlib.Path(folder).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    images = []
    for i in range(IMAGES):
        with Image.open(files[i * len(files) // IMAGES]) as image:
            images.append(prepare(image.convert("RGB")))
    return torch.stack(images)


def drawn_weights(images):
    """Statistics of batch norm as if it had been trained on the images."""
    torch.manual_seed(1)
    model = getattr(torchvision.models, MODEL)(weights=None, num_classes=1000).train()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean over all batches
        if isinstance(module, torch.nn.Dropout):
            module.p = 0
    with torch.no_grad():
        for batch in images.split(32):
            model(batch)
    return model.state_dict()


def main():
    weights = os.path.join(CACHE, f"{MODEL}.pth")
    if os.path.exists(weights):
        return
    torch.manual_seed(2)
    images = read_photographs(PHOTOGRAPHS) if PHOTOGRAPHS else torch.randn(IMAGES, 3, SIDE, SIDE)
    torch.save({"images": images}, os.path.join(CACHE, f"{MODEL}-images.pth"))
    if not WEIGHTS:
        state = drawn_weights(images)
    elif WEIGHTS.endswith(".safetensors"):
        state = read_safetensors(WEIGHTS)
    else:
        state = torch.load(WEIGHTS)
    torch.save(state, weights)


if __name__ == "__main__":
    main()
