"""Writes apps_grad_cam.json: Grad-CAM by PyTorch's autograd, in double precision.

`python3 make_grad_cam.py` needs torch, torchvision and efficientnet-lite-pytorch; `--verify` compares the file
with what they give today. Weights and images follow from their names (formula.py).

The map is that of the paper's equations 1 and 2 (Selvaraju et al., 2017), divided by its largest value: the layer's
output keeps its gradient, and nothing else of the network is looked at.
"""

import json
import pathlib
import sys

import torch
import torchvision
from torch import nn

import formula
import nn_models

PATH = pathlib.Path(__file__).resolve().parent / "apps_grad_cam.json"
TOLERANCE = 1e-7
IMAGES = 3


class LeNet(nn.Module):
    """hanok's for RGB images of 48 pixels."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 9 * 9, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, nn_models.CLASSES)

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = torch.max_pool2d(torch.relu(self.conv2(x)), 2)
        x = torch.relu(self.fc1(torch.flatten(x, 1)))
        return self.fc3(torch.relu(self.fc2(x)))


# name: (constructor or None for torchvision's of this name, side of the images, the layer's path)
MODELS = {
    "lenet": (LeNet, 48, "conv2"),
    "resnet18": (None, 96, "layer4"),
    "resnet50": (None, 32, "layer3"),  # layer4 has one place
    "mobilenet_v2": (None, 96, "features"),
    "mobilenet_v3_small": (None, 96, "features"),
    "efficientnet_b0": (None, 64, "features"),
    # Odd sides: TensorFlow pads one row more at the end.
    "efficientnet_lite0": (nn_models.tensorflows("efficientnet-lite0"), 90, "features"),
    "convnext_tiny": (None, 96, "features"),
    "vgg16_bn": (None, 64, "features.42"),  # before the last pooling
}


# Modules whose input is that layer's output, of models that have no such layer by themselves.
BEHIND = {"efficientnet_lite0": "_avg_pooling"}


def build(name):
    constructor, side, _ = MODELS[name]
    if constructor is None:
        model = getattr(torchvision.models, name)(num_classes=nn_models.CLASSES).double()
    else:
        model = constructor().double()
    prefix = f"grad_cam/{name}/"
    for key, value in model.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            key = nn_models.torchvisions_name(key, model)
            value.copy_(torch.tensor(formula.parameter(key, prefix + key, list(value.shape))))
    for module in model.modules():
        if isinstance(module, (nn.ReLU, nn.ReLU6, nn.Hardswish)):
            module.inplace = False  # it would overwrite the output that is looked at
    images = formula.tensor(prefix + "images", [IMAGES, 3, side, side], **nn_models.IMAGE)
    return model.eval(), torch.tensor(images), prefix


def grad_cam(model, name, images, target):
    """The map [h,w] of each image, scaled to 1, for the class `target`."""
    kept = []

    def keep(features):
        features.retain_grad()
        kept.append(features)

    if name in BEHIND:
        hook = model.get_submodule(BEHIND[name]).register_forward_pre_hook(lambda _, inputs: keep(inputs[0]))
    else:
        layer = MODELS[name][2]
        hook = model.get_submodule(layer).register_forward_hook(lambda _, __, output: keep(output))
    logits = model(images)
    hook.remove()
    logits[:, target].sum().backward()
    features, = kept
    alpha = features.grad.mean(dim=(2, 3), keepdim=True)
    maps = torch.relu((alpha * features).sum(dim=1)).detach()
    largest = maps.amax(dim=(1, 2), keepdim=True)
    return maps / torch.where(largest > 0, largest, torch.ones_like(largest))


def make():
    content = {"format": 1, "versions": {"torch": torch.__version__, "torchvision": torchvision.__version__}}
    for name, (_, _, layer) in MODELS.items():
        model, images, prefix = build(name)
        maps = {str(target): grad_cam(model, name, images, target) for target in (0, 7)}
        content[name] = {
            "prefix": prefix, "classes": nn_models.CLASSES, "layer": layer,
            "images": {"shape": list(images.shape), **nn_models.IMAGE},
            "maps": {target: {"shape": list(values.shape),
                              "values": [formula.number(v) for v in values.flatten().tolist()]}
                     for target, values in maps.items()},
        }
    return content


def main():
    made = make()
    if "--verify" in sys.argv[1:]:
        problems = []
        old = json.loads(PATH.read_text(encoding="ascii"))
        formula.compare(PATH.name, old, json.loads(json.dumps(made)), TOLERANCE, problems)
        print(PATH.name + ":", "; ".join(problems[:5]) if problems else "as PyTorch computes today")
        sys.exit(1 if problems else 0)
    formula.write(PATH, made)


if __name__ == "__main__":
    main()
