"""Golden runs of single layers, in double precision by PyTorch: what a module prints, its parameters'
names, its output, and the gradients of its input and parameters.

A layer's parameters follow formula.parameter, with names and input under "layers/CASE/".
tests/nn/golden_layers_test.cpp builds the same layers.
"""

import torch
from torch import nn
from torchvision.models.convnext import LayerNorm2d

import formula
from nn_ops import spec

ROWS = 5  # of the embedding

LAYERS = {
    "linear_of_pixels": (lambda: nn.Linear(7, 4), [2, 3, 5, 7]),
    "layer_norm": (lambda: nn.LayerNorm(10), [4, 3, 10]),
    "layer_norm_two": (lambda: nn.LayerNorm([3, 10], eps=1e-3), [4, 3, 10]),
    "layer_norm_no_bias": (lambda: nn.LayerNorm(10, bias=False), [6, 10]),
    "layer_norm_plain": (lambda: nn.LayerNorm(10, elementwise_affine=False), [6, 10]),
    "layer_norm_pixels": (lambda: LayerNorm2d(6, eps=1e-6), [2, 6, 3, 4]),
    "group_norm": (lambda: nn.GroupNorm(3, 6), [2, 6, 3, 4]),
    "group_norm_plain": (lambda: nn.GroupNorm(2, 6, eps=1e-3, affine=False), [3, 6, 5]),
    "embedding": (lambda: nn.Embedding(ROWS, 7), None),
    "embedding_padding": (lambda: nn.Embedding(ROWS, 7, padding_idx=2), None),
    "hardtanh": (lambda: nn.Hardtanh(), [4, 9]),
    "hardtanh_range": (lambda: nn.Hardtanh(-0.5, 2.0), [4, 9]),
    "conv1d": (lambda: nn.Conv1d(4, 6, 3), [2, 4, 11]),
    "conv1d_uneven": (lambda: nn.Conv1d(6, 4, 4, 2, 2, 2, 2, False), [2, 6, 15]),
    "conv_transpose2d": (lambda: nn.ConvTranspose2d(4, 3, 3), [2, 4, 5, 6]),
    "conv_transpose2d_uneven": (
        lambda: nn.ConvTranspose2d(4, 6, (2, 4), (3, 2), (1, 2), (2, 0), 2, False, (1, 2)),
        [1, 4, 5, 3]),
    "upsample_nearest": (lambda: nn.Upsample(scale_factor=3), [2, 3, 4, 5]),
    "upsample_nearest_size": (lambda: nn.Upsample((7, 9)), [1, 3, 5, 4]),
    "upsample_bilinear": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), [2, 3, 4, 5]),
    "upsample_nearest_fraction": (lambda: nn.Upsample(scale_factor=1.7), [2, 3, 5, 7]),
    "upsample_nearest_smaller": (lambda: nn.Upsample(scale_factor=0.6), [1, 3, 9, 7]),
    "upsample_bilinear_fraction": (
        lambda: nn.Upsample(scale_factor=1.7, mode="bilinear"), [2, 3, 5, 7]),
    "upsample_bilinear_smaller": (
        lambda: nn.Upsample(scale_factor=0.6, mode="bilinear"), [1, 3, 9, 7]),
    "upsample_bilinear_corners": (
        lambda: nn.Upsample((7, 9), mode="bilinear", align_corners=True), [2, 3, 4, 5]),
}


def run(name):
    make, shape = LAYERS[name]
    prefix = f"layers/{name}/"
    layer = make().double()
    for key, value in layer.state_dict().items():
        value.copy_(torch.tensor(formula.parameter(key, prefix + key, list(value.shape))))
    content = {"text": str(layer)}
    if shape is None:
        content["indices"] = [3, 4]
        x = torch.tensor(formula.integers(prefix + "x", 12, ROWS)).reshape(content["indices"])
    else:
        content["x"] = s = spec(shape)
        x = torch.tensor(formula.tensor(prefix + "x", s["shape"], s["spread"], s["bits"]))
        x.requires_grad_()
    y = layer(x)
    content["dy"] = dy = spec(y.shape)
    y.backward(torch.tensor(formula.tensor(prefix + "dy", dy["shape"], dy["spread"], dy["bits"])))
    content["y"] = formula.fingerprint(prefix + "y", y.detach().numpy())
    if x.grad is not None:
        content["dx"] = formula.fingerprint(prefix + "dx", x.grad.numpy())
    content["gradients"] = {key: formula.fingerprint(prefix + key + "#gradient", p.grad.numpy())
                            for key, p in layer.named_parameters()}
    return content


FILES = {"nn_layers.json": lambda: {"layers": {name: run(name) for name in LAYERS}}}
