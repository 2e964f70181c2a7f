"""Writes weights_names.json: the names and shapes of the tensors that other code bases write.

`python3 make_names.py` needs timm, efficientnet-pytorch and efficientnet-lite-pytorch. `--verify`
compares the file with what they write today. The tables of weights/name_maps.cpp are tested by it.
"""
import json
import os
import sys
from importlib.metadata import version

import timm
from efficientnet_lite_pytorch import EfficientNet as EfficientNetLite
from efficientnet_pytorch import EfficientNet

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "weights_names.json")

# (network of timm, model of hanok)
TIMM = [
    ("resnet18", "resnet18"), ("resnet50", "resnet50"), ("resnext50_32x4d", "resnext50_32x4d"),
    ("wide_resnet50_2", "wide_resnet50_2"), ("mobilenetv2_100", "mobilenet_v2"),
    ("mobilenetv3_small_100", "mobilenet_v3_small"), ("efficientnet_b0", "efficientnet_b0"),
    ("tf_efficientnet_b0", "tf_efficientnet_b0"), ("tf_efficientnet_lite0", "efficientnet_lite0"),
    ("convnext_tiny", "convnext_tiny"), ("vgg16_bn", "vgg16_bn"),
]


def tensors(model):
    return {name: list(tensor.shape) for name, tensor in model.state_dict().items()}


def flat_mobilenet_v2():
    """torchvision's MobileNetV2 by the names of github.com/tonylins/pytorch-mobilenet-v2."""
    import torchvision
    first = {"0.0": "0", "0.1": "1", "1": "3", "2": "4"}
    others = {"0.0": "0", "0.1": "1", "1.0": "3", "1.1": "4", "2": "6", "3": "7"}
    result = {}
    for name, shape in tensors(torchvision.models.mobilenet_v2()).items():
        if ".conv." in name:
            block, rest = name.split(".conv.")
            inner, last = rest.rsplit(".", 1)
            name = block + ".conv." + (first if block == "features.1" else others)[inner] + "." + last
        name = name.replace("features.18.", "conv.").replace("classifier.1.", "classifier.")
        result[name] = shape
    return result


def make():
    networks = [{"code_base": "timm", "network": network, "model": model,
                 "tensors": tensors(timm.create_model(network))} for network, model in TIMM]
    b0, lite0 = EfficientNet.from_name("efficientnet-b0"), EfficientNetLite.from_name("efficientnet-lite0")
    for network, model in ((b0, "efficientnet_b0"), (b0, "tf_efficientnet_b0"), (lite0, "efficientnet_lite0")):
        networks.append({"code_base": "EfficientNet-PyTorch", "network": "EfficientNet", "model": model,
                         "tensors": tensors(network)})
    networks.append({"code_base": "pytorch-mobilenet-v2", "network": "MobileNetV2", "model": "mobilenet_v2",
                     "tensors": flat_mobilenet_v2()})
    packages = ("timm", "efficientnet-pytorch", "efficientnet-lite-pytorch", "torchvision")
    return {"made_with": {name: version(name) for name in packages}, "networks": networks}


def main():
    made = make()
    if "--verify" in sys.argv[1:]:
        with open(PATH) as file:
            same = json.load(file)["networks"] == made["networks"]
        print("weights_names.json:", "as written today" if same else "DIFFERS")
        sys.exit(0 if same else 1)
    with open(PATH, "w") as file:
        lines = [json.dumps(network) for network in made["networks"]]
        file.write('{"format": 1, "made_with": %s,\n "networks": [\n%s\n]}\n'
                   % (json.dumps(made["made_with"]), ",\n".join(lines)))


if __name__ == "__main__":
    main()
