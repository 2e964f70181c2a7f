"""Golden runs of whole models, in double precision by PyTorch and torchvision.

Every parameter and buffer is a formula tensor named PREFIX + its name in the state_dict (the rule is
formula.parameter), images are PREFIX + "images", labels PREFIX + "labels".

The prefix carries a salt. ReLU and max pooling decide by comparing numbers; where two are so near that
rounding decides, single precision may differ from double by a whole gradient element. `margin` finds how
many times its own rounding error (single against double) each network's nearest decision is away, and
`python3 nn_models.py --search [MODEL]` looks for a salt for which that is far.
"""

import copy
import re
import sys

import torch
import torch.nn.functional as F
from efficientnet_lite_pytorch import EfficientNet
from torch import nn
from torchvision import models as torchvision_models
from torchvision.ops import StochasticDepth

import formula

CLASSES = 10
IMAGE = {"spread": formula.spread_of(1.0, 12), "bits": 12, "center": 0}


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, CLASSES)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        x = self.pool(self.relu(self.conv1(x)))
        x = self.pool(self.relu(self.conv2(x)))
        x = self.relu(self.fc1(torch.flatten(x, 1)))
        return self.fc3(self.relu(self.fc2(x)))


def tensorflows(name):
    """EfficientNet with TensorFlow's padding, which follows from each image's size."""
    return lambda: EfficientNet.from_name(name, image_size=None, num_classes=CLASSES)


# The stages of EfficientNet-B0 and Lite0: the number of each one's first block, and one past the last.
FIRST_BLOCKS = [0, 1, 3, 5, 8, 11, 15, 16]


def torchvisions_name(key, model):
    """A tensor of `model` as torchvision would call it: "_blocks.4._bn0.bias" is "features.3.1.block.0.1.bias"."""
    if not isinstance(model, EfficientNet):
        return key
    outer = {"_conv_stem": "features.0.0", "_bn0": "features.0.1", "_conv_head": "features.8.0",
             "_bn1": "features.8.1", "_fc": "classifier.1"}
    block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)
    if not block:
        layer, tensor = key.rsplit(".", 1)
        return f"{outer[layer]}.{tensor}"
    number, layer, tensor = int(block[1]), block[2], block[3]
    part = model._blocks[number]
    stage = max(i for i, first in enumerate(FIRST_BLOCKS) if first <= number)
    depthwise = 0 if part._block_args.expand_ratio == 1 else 1
    project = depthwise + (2 if part.has_se else 1)
    inner = {"_expand_conv": "0.0", "_bn0": "0.1", "_depthwise_conv": f"{depthwise}.0", "_bn1": f"{depthwise}.1",
             "_se_reduce": f"{depthwise + 1}.fc1", "_se_expand": f"{depthwise + 1}.fc2",
             "_project_conv": f"{project}.0", "_bn2": f"{project}.1"}[layer]
    return f"features.{stage + 1}.{number - FIRST_BLOCKS[stage]}.block.{inner}.{tensor}"


# name: (constructor or None for torchvision's of this name, batch, image shape, salt)
MODELS = {
    "lenet": (LeNet, 3, [1, 32, 32], 8),
    "resnet18": (None, 2, [3, 64, 64], 61),
    # The models below run in evaluation only, on small images: fewer branch decisions.
    "resnet34": (None, 2, [3, 32, 32], 0),
    "resnet50": (None, 2, [3, 32, 32], 26),
    "resnet101": (None, 2, [3, 32, 32], 8),
    "wide_resnet50_2": (None, 2, [3, 32, 32], 0),
    "resnext50_32x4d": (None, 2, [3, 32, 32], 18),
    "mobilenet_v2": (None, 2, [3, 32, 32], 32),
    "mobilenet_v3_small": (None, 2, [3, 32, 32], 12),
    "efficientnet_b0": (None, 2, [3, 32, 32], 0),  # smooth: no branch decisions
    # Odd and even sides at each stride.
    "tf_efficientnet_b0": (tensorflows("efficientnet-b0"), 2, [3, 37, 44], 0),  # smooth
    "efficientnet_lite0": (tensorflows("efficientnet-lite0"), 2, [3, 37, 44], 9),
    "convnext_tiny": (None, 2, [3, 32, 32], 0),  # smooth too
    "vgg16_bn": (None, 1, [3, 32, 32], 0),
}
FURTHER = list(MODELS)[2:]
# These also run in training mode, on images large enough for meaningful batch statistics: batch, side, salt.
TRAINED = {"mobilenet_v3_small": (4, 64, 12), "efficientnet_b0": (4, 64, 0), "convnext_tiny": (4, 64, 0),
           "tf_efficientnet_b0": (4, 64, 0), "efficientnet_lite0": (2, 64, 26)}


def build(name, salt=None, batch_and_size=None):
    """The model with formula weights, its images and labels, and the prefix of their names."""
    constructor, batch, image_shape, default_salt = MODELS[name]
    if batch_and_size is not None:
        batch, image_shape = batch_and_size[0], [3, batch_and_size[1], batch_and_size[1]]
    prefix = f"{name}/{default_salt if salt is None else salt}/"
    if constructor is None:
        constructor = getattr(torchvision_models, name)
        model = constructor(num_classes=CLASSES).double()
    else:
        model = constructor().double()
    state = model.state_dict()
    for key, value in state.items():
        if not key.endswith("num_batches_tracked"):
            key = torchvisions_name(key, model)
            value.copy_(torch.tensor(formula.parameter(key, prefix + key, list(value.shape))))
    shape = [batch] + image_shape
    images = formula.tensor(prefix + "images", shape, IMAGE["spread"], IMAGE["bits"])
    labels = formula.integers(prefix + "labels", batch, CLASSES)
    return model, torch.tensor(images), torch.tensor(labels), prefix


def decisions(model, images):
    """The values that each ReLU and each max pooling compares, in the order of the forward pass."""
    seen = []

    def before_relu(_, inputs):
        seen.append(inputs[0].detach().clone())

    def before_pool(module, inputs):
        k, s, p = module.kernel_size, module.stride, module.padding
        x = F.pad(inputs[0].detach(), [p] * 4)  # zeros: the inputs are never negative
        windows = x.unfold(2, k, s).unfold(3, k, s).flatten(4)
        top = windows.topk(2, -1).values
        gap = top[..., 0] - top[..., 1]
        # If a whole window is zero any choice is correct: no gradient passes the ReLU before it.
        seen.append(torch.where(top[..., 0] > 0, gap, torch.ones_like(gap)))

    hooks = []
    for module in model.modules():
        if isinstance(module, nn.ReLU6):
            hooks.append(module.register_forward_pre_hook(
                lambda _, inputs: seen.extend([inputs[0].clone(), inputs[0] - 6])))
        elif isinstance(module, (nn.Hardswish, nn.Hardsigmoid)):
            hooks.append(module.register_forward_pre_hook(
                lambda _, inputs: seen.extend([inputs[0] + 3, inputs[0] - 3])))
        elif isinstance(module, nn.ReLU):
            hooks.append(module.register_forward_pre_hook(before_relu))
        if isinstance(module, nn.MaxPool2d):
            hooks.append(module.register_forward_pre_hook(before_pool))
    with torch.no_grad():
        model(images)
    for hook in hooks:
        hook.remove()
    return seen


def margin(name, salt=None):
    """Smallest |decision| over all places and modes, in units of the root mean square error there."""
    worst = float("inf")
    for training in (True, False)[name in FURTHER:]:
        double, images, _, _ = build(name, salt)
        double.train(training)
        single = copy.deepcopy(double).float()
        exact = decisions(double, images)
        rounded = decisions(single, images.float())
        for a, b in zip(exact, rounded):
            error = (a - b.double()).pow(2).mean().sqrt().item()
            if error > 0:
                worst = min(worst, a.abs().min().item() / error)
    return worst


def describe(name, prefix, images):
    return {"prefix": prefix, "classes": CLASSES, "images": {"shape": list(images.shape), **IMAGE}}


def gradients(model, prefix):
    return {key: formula.fingerprint(prefix + key + "#gradient", p.grad.numpy())
            for key, p in model.named_parameters()}


def forward_and_gradients(name, training):
    """Logits, loss, each parameter's gradient, and the batch norms' buffers afterwards."""
    model, images, labels, prefix = build(name)
    model.train(training)
    images.requires_grad_()
    logits = model(images)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    content = describe(name, prefix, images)
    content["training"] = training
    content["loss"] = formula.number(loss.item())
    content["logits"] = formula.fingerprint(prefix + "logits", logits.detach().numpy())
    content["images_gradient"] = formula.fingerprint(prefix + "images#gradient", images.grad.numpy())
    content["gradients"] = gradients(model, prefix)
    return content


def running_statistics(name, steps=2):
    """Buffers after `steps` forward passes in training mode."""
    model, images, _, prefix = build(name)
    for _ in range(steps):
        model(images)
    content = describe(name, prefix, images)
    content["steps"] = steps
    content["buffers"] = {key: formula.fingerprint(prefix + key, value.double().numpy())
                          for key, value in model.named_buffers()}
    return content


def further_model(name):
    """Logits and norms of the gradients in evaluation, for a formula gradient of the logits."""
    model, images, _, prefix = build(name)
    model.eval()
    if name == "vgg16_bn":  # 138 million weights: their gradients would make the test too large
        model.requires_grad_(False)
    logits = model(images)
    if logits.requires_grad:
        logits.backward(torch.tensor(formula.tensor(prefix + "logits#gradient", list(logits.shape),
                                                IMAGE["spread"], IMAGE["bits"])))
    content = describe(name, prefix, images)
    content["logits"] = formula.fingerprint(prefix + "logits", logits.detach().numpy())
    content["gradient_norms"] = {torchvisions_name(key, model): formula.number(p.grad.norm().item())
                                 for key, p in model.named_parameters() if p.requires_grad}
    return content


def switch_drops_off(model):
    """Dropout and stochastic depth; returns their probabilities, in the order of modules()."""
    drops = [m for m in model.modules() if isinstance(m, (nn.Dropout, StochasticDepth))]
    probabilities = [m.p for m in drops]
    for module in drops:
        module.p = 0.0
    if isinstance(model, EfficientNet):  # its stochastic depth is no module
        largest, count = model._global_params.drop_connect_rate, len(model._blocks)
        probabilities = [largest * i / count for i in range(count)] + probabilities
        model._global_params = model._global_params._replace(drop_connect_rate=0)
    return probabilities


def further_model_in_training(name):
    """Loss, logits and norms of the gradients in training mode, without dropout. `drops` are the probabilities
    of what was switched off: dropout and stochastic depth, in the order of modules().

    The gradient of a bias before a batch norm is only rounding: its norm is stored as zero."""
    batch, side, salt = TRAINED[name]
    model, images, labels, prefix = build(name, salt, (batch, side))
    content = {"drops": [formula.number(p) for p in switch_drops_off(model)]}
    logits = model.train()(images)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    content.update(describe(name, prefix, images))
    content["loss"] = formula.number(loss.item())
    content["logits"] = formula.fingerprint(prefix + "logits", logits.detach().numpy())
    norms = {torchvisions_name(key, model): p.grad.norm().item() for key, p in model.named_parameters()}
    nothing = 1e-9 * max(norms.values())
    content["gradient_norms"] = {key: formula.number(norm if norm > nothing else 0.0)
                                 for key, norm in norms.items()}
    return content


SGD = {"learning_rate": 0.001, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}
ADAMW = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.01}
STEPS = 10


def make_optimizer(kind, parameters):
    if kind == "sgd":
        o = SGD
        return torch.optim.SGD(parameters, o["learning_rate"], o["momentum"], 0, o["weight_decay"],
                               o["nesterov"])
    o = ADAMW
    return torch.optim.AdamW(parameters, o["learning_rate"], (o["beta1"], o["beta2"]), o["epsilon"],
                             o["weight_decay"])


def train(name, kind, dtype=torch.float64, salt=None):
    """STEPS steps on the one batch; returns model, losses, prefix and images."""
    model, images, labels, prefix = build(name, salt)
    model.to(dtype).train()
    images = images.to(dtype)
    optimizer = make_optimizer(kind, model.parameters())
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model, losses, prefix, images


def training(name, kind):
    """Losses; after the steps each parameter, and the distance it has moved."""
    model, losses, prefix, images = train(name, kind)
    start = build(name)[0].state_dict()
    content = describe(name, prefix, images)
    content["steps"] = STEPS
    content["optimizer"] = SGD if kind == "sgd" else ADAMW
    content["losses"] = [formula.number(loss) for loss in losses]
    content["moved"] = {key: formula.number((p.detach() - start[key]).norm().item())
                        for key, p in model.named_parameters()}
    if kind == "sgd":
        content["parameters"] = {key: formula.fingerprint(prefix + key, p.detach().numpy())
                                 for key, p in model.named_parameters()}
    else:  # sign-like steps amplify rounding: norms only
        content["norms"] = {key: formula.number(p.detach().norm().item())
                            for key, p in model.named_parameters()}
    return content


FILES = {
    "nn_lenet.json": lambda: forward_and_gradients("lenet", True),
    "nn_resnet18_train.json": lambda: forward_and_gradients("resnet18", True),
    "nn_resnet18_eval.json": lambda: forward_and_gradients("resnet18", False),
    "nn_resnet18_buffers.json": lambda: running_statistics("resnet18"),
    "nn_resnet18_sgd.json": lambda: training("resnet18", "sgd"),
    "nn_resnet18_adamw.json": lambda: training("resnet18", "adamw"),
    **{f"nn_{name}.json": lambda n=name: further_model(n) for name in FURTHER},
    **{f"nn_{name}_train.json": lambda n=name: further_model_in_training(n) for name in TRAINED},
}


def search(name, tries):
    best = (0.0, 0)
    for salt in range(tries):
        found = margin(name, salt)
        if found > best[0]:
            best = (found, salt)
            print(f"{name}: salt {salt} keeps every decision {found:.1f} rounding errors away", flush=True)


def check_rounding(kind, name="resnet18"):
    """The distance of PyTorch's single precision from double after the steps, which tolerances must allow."""
    exact, exact_losses, _, _ = train(name, kind)
    rounded, losses, _, _ = train(name, kind, torch.float32)
    start = build(name)[0].state_dict()
    worst = worst_moved = worst_norm = worst_moved_norm = 0.0
    for (key, a), (_, b) in zip(exact.named_parameters(), rounded.named_parameters()):
        a, b = a.detach(), b.detach().double()
        distance = (a - b).norm().item()
        moved, moved_b = (a - start[key]).norm().item(), (b - start[key]).norm().item()
        worst = max(worst, distance / a.norm().item())
        worst_norm = max(worst_norm, abs(a.norm().item() - b.norm().item()) / a.norm().item())
        worst_moved = max(worst_moved, distance / moved)
        worst_moved_norm = max(worst_moved_norm, abs(moved - moved_b) / moved)
    loss = max(abs(a - b) for a, b in zip(exact_losses, losses))
    print(f"{kind}: parameters {worst:.2g}, their norms {worst_norm:.2g}, of the way moved {worst_moved:.2g}, "
          f"its norms {worst_moved_norm:.2g}, losses {loss:.2g} ({exact_losses[0]:.4f} to {exact_losses[-1]:.4f})")


if __name__ == "__main__":
    torch.set_num_threads(1)
    chosen = [a for a in sys.argv[1:] if a in MODELS] or list(MODELS)
    if "--search" in sys.argv:
        for model_name in chosen:
            search(model_name, 60)
    for model_name in chosen:
        print(f"{model_name}: every decision is {margin(model_name):.1f} rounding errors away")
    check_rounding("sgd")
    check_rounding("adamw")
