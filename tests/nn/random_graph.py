"""Runs random graphs (random_graph.h) in PyTorch, in double precision.

    python3 random_graph.py FOLDER_OF_FORMULA_PY GRAPHS.json RESULTS.json

Exit status 77: there is no PyTorch here.
"""

import json
import math
import sys

sys.path.insert(0, sys.argv[1])
try:
    import formula
    import numpy as np
    import torch
    import torch.nn.functional as F
except ImportError as error:
    print(error)
    sys.exit(77)


class Margin:
    """The smallest distance of a comparison from its limit, in units of the compared values: if rounding
    could change its outcome, single precision may differ. Exact ties do not count: they are ties there too."""

    def __init__(self):
        self.smallest = math.inf

    def see(self, distance, scale):
        distance, scale = distance.detach().abs(), scale.detach().abs()
        distance, scale = distance[(distance > 0) & torch.isfinite(distance)], scale[torch.isfinite(scale)]
        if distance.numel() and scale.numel():
            self.smallest = min(self.smallest, (distance.min() / (scale.max() + 1e-30)).item())

    def limit(self, x, at=0.0):
        self.see(x - at, torch.cat([x.detach().reshape(-1), torch.ones(1, dtype=x.dtype)]))
        return x

    def top(self, windows):
        """The gap between the two largest of the last dimension."""
        if windows.shape[-1] > 1:
            two = windows.detach().topk(2, -1).values
            finite = torch.isfinite(two).all(-1)
            if finite.any():
                self.see((two[..., 0] - two[..., 1])[finite], windows.detach()[torch.isfinite(windows)])


def indices(a):
    return torch.tensor(a["indices"], dtype=torch.int64).reshape(a["sizes"])


def batch_norm(x, weight, bias, a):
    """Written out: where the strides of a gradient fit both memory formats (shape [1,3,1,2], strides
    [1,1,1,3]), F.batch_norm of PyTorch 2.15 adds up the wrong elements for the bias."""
    others = [i for i in range(x.dim()) if i != 1]
    shape = [1, -1] + [1] * (x.dim() - 2)
    if a["training"]:
        mean, var = x.mean(others, keepdim=True), x.var(others, correction=0, keepdim=True)
    else:
        mean, var = 0.25, torch.tensor(1.5, dtype=x.dtype)
    return (x - mean) / torch.sqrt(var + a["epsilon"]) * weight.reshape(shape) + bias.reshape(shape)


def conv_bn_act(m, x, a):
    y = batch_norm(F.conv2d(x[0], x[1], None, a["stride"], a["padding"]), x[2], x[3], a)
    if len(x) > 4:
        y = y + x[4]
    return F.relu(m.limit(y)) if a["relu"] else y


def max_pool2d(m, x, a):
    (kh, kw), (sh, sw), (ph, pw) = a["kernel"], a["stride"], a["padding"]
    padded = F.pad(x.detach(), [pw, pw, ph, ph], value=-math.inf)
    m.top(padded.unfold(2, kh, sh).unfold(3, kw, sw).flatten(4))
    return F.max_pool2d(x, (kh, kw), (sh, sw), (ph, pw))


def largest(m, x, a):
    m.top(x.movedim(a["dim"], -1))
    return torch.max(x, a["dim"], a["keep"]).values


def topk(m, x, a):
    ordered = x.detach().movedim(a["dim"], -1).sort(-1, descending=True).values
    gaps = ordered[..., :-1] - ordered[..., 1:]
    if gaps.numel() and (gaps == 0).any():
        m.smallest = 0.0  # PyTorch does not specify which of equal elements it takes
    elif gaps.numel():
        m.see(gaps, ordered)
    return torch.topk(x, a["k"], a["dim"]).values


def compare(function):
    def run(m, x, a):
        difference = x[0] - x[1]
        m.see(difference, torch.cat([x[0].detach().reshape(-1), x[1].detach().reshape(-1)]))
        return function(x[0], x[1])
    return run


def squashed(function):
    return lambda m, x, a: function(x[0] * x[0] + 1)


def plain(function):
    return lambda m, x, a: function(x[0])


def deviation(m, x, a):
    y = torch.std(x[0], a["dims"] or None, correction=0, keepdim=a["keep"])
    return m.limit(y)


def reduction(function):
    return lambda m, x, a: function(x[0], dim=a["dims"] or None, keepdim=a["keep"])


def channels(function):
    return lambda m, x, a: function(x[0].movedim(1, -1), x[1], x[2], a).movedim(-1, 1)


OPS = {
    "neg": plain(torch.neg), "square": plain(torch.square), "sigmoid": plain(torch.sigmoid),
    "tanh": plain(torch.tanh), "silu": plain(F.silu), "gelu": plain(F.gelu), "sin": plain(torch.sin),
    "cos": plain(torch.cos), "erf": plain(torch.erf), "log": squashed(torch.log),
    "sqrt": squashed(torch.sqrt), "reciprocal": squashed(torch.reciprocal),
    "pow": lambda m, x, a: (x[0] * x[0] + 1) ** a["exponent"],
    "exp_tanh": lambda m, x, a: torch.exp(torch.tanh(x[0])),
    "abs": lambda m, x, a: torch.abs(m.limit(x[0])),
    "relu": lambda m, x, a: F.relu(m.limit(x[0])),
    "leaky_relu": lambda m, x, a: F.leaky_relu(m.limit(x[0]), 0.25),
    "hardswish": lambda m, x, a: F.hardswish(m.limit(m.limit(x[0], 3), -3)),
    "hardsigmoid": lambda m, x, a: F.hardsigmoid(m.limit(m.limit(x[0], 3), -3)),
    "clamp": lambda m, x, a: m.limit(m.limit(x[0], -0.5), 0.75).clamp(-0.5, 0.75),
    "affine": lambda m, x, a: x[0] * -0.5 + 0.25,
    "add": lambda m, x, a: x[0] + x[1], "sub": lambda m, x, a: x[0] - x[1],
    "mul": lambda m, x, a: x[0] * x[1], "div": lambda m, x, a: x[0] / (x[1] * x[1] + 1),
    "maximum": compare(torch.maximum), "minimum": compare(torch.minimum),
    "where": lambda m, x, a: torch.where(indices(a).bool(), x[0], x[1]),
    "detach": lambda m, x, a: x[0].detach(),
    "sum": reduction(torch.sum), "mean": reduction(torch.mean),
    "var": reduction(lambda x, dim, keepdim: torch.var(x, dim, correction=0, keepdim=keepdim)),
    "std": deviation,
    "max": lambda m, x, a: largest(m, x[0], a), "topk": lambda m, x, a: topk(m, x[0], a),
    "softmax": lambda m, x, a: F.softmax(x[0], a["dim"]),
    "log_softmax": lambda m, x, a: F.log_softmax(x[0], a["dim"]),
    "cross_entropy": lambda m, x, a: F.cross_entropy(x[0], indices(a), label_smoothing=a["smoothing"]),
    "mse_loss": lambda m, x, a: F.mse_loss(x[0], x[1].detach()),
    "reshape": lambda m, x, a: x[0].reshape(a["sizes"]),
    "permute": lambda m, x, a: x[0].permute(a["order"]),
    "transpose": lambda m, x, a: x[0].transpose(a["a"], a["b"]),
    "slice": lambda m, x, a: x[0].narrow(a["dim"], a["begin"], a["end"] - a["begin"]),
    "concat": lambda m, x, a: torch.cat(x, a["dim"]),
    "flatten": lambda m, x, a: torch.flatten(x[0], a["begin"], a["end"]),
    "unsqueeze": lambda m, x, a: x[0].unsqueeze(a["dim"]),
    "squeeze": lambda m, x, a: x[0].squeeze(a["dim"]),
    "index_select": lambda m, x, a: torch.index_select(x[0], a["dim"], indices(a)),
    "gather": lambda m, x, a: torch.gather(x[0], a["dim"], indices(a)),
    "embedding": lambda m, x, a: F.embedding(indices(a), x[0]),
    "matmul": lambda m, x, a: torch.matmul(x[0], x[1]),
    "linear": lambda m, x, a: F.linear(*x),
    "conv2d": lambda m, x, a: F.conv2d(*x, a["stride"], a["padding"], 1, a["groups"]),
    "conv1d": lambda m, x, a: F.conv1d(*x, a["stride"], 1),
    "conv_transpose2d": lambda m, x, a: F.conv_transpose2d(*x, a["stride"], a["padding"]),
    "conv_bn_act": conv_bn_act,
    "batch_norm": lambda m, x, a: batch_norm(x[0], x[1], x[2], a),
    "layer_norm": lambda m, x, a: F.layer_norm(x[0], x[0].shape[-a["dims"]:], x[1], x[2], a["epsilon"]),
    "layer_norm_channels": channels(
        lambda x, w, b, a: F.layer_norm(x, x.shape[-1:], w, b, a["epsilon"])),
    "group_norm": lambda m, x, a: F.group_norm(x[0], a["groups"], x[1], x[2], a["epsilon"]),
    "max_pool2d": lambda m, x, a: max_pool2d(m, x[0], a),
    "avg_pool2d": lambda m, x, a: F.avg_pool2d(x[0], a["kernel"], a["stride"], a["padding"]),
    "adaptive_avg_pool2d": lambda m, x, a: F.adaptive_avg_pool2d(x[0], a["out"]),
    "upsample_nearest2d": lambda m, x, a: F.interpolate(x[0], a["out"], mode="nearest"),
    "upsample_bilinear2d": lambda m, x, a: F.interpolate(x[0], a["out"], mode="bilinear",
                                                         align_corners=a["align"]),
}


def numbers(tensor):
    """Beyond single precision is infinity, whose name JSON does not have."""
    limited = [v if abs(v) < 3.4e38 else math.copysign(math.inf, v) if v == v else v
               for v in tensor.detach().reshape(-1).tolist()]
    return [v if math.isfinite(v) else str(v) for v in limited]


def leaf(shape, a):
    values = formula.tensor(a["name"], shape, a["spread"], a["bits"], a["center"])
    if a["odd"]:
        hashes = formula.hashes(a["name"] + "#odd", values.size).reshape(values.shape)
        odd = np.array([math.inf, -math.inf, math.nan])[hashes // 10 % 3]
        values = np.where(hashes % 10 == 0, odd, values)
    return torch.tensor(values).requires_grad_(a["grad"])


def run(graph):
    margin, tensors, read = Margin(), [], set()
    for step in graph["steps"]:
        a = step["attributes"]
        if step["op"] == "leaf":
            t = leaf(step["shape"], a)
        else:
            read.update(step["inputs"])
            t = OPS[step["op"]](margin, [tensors[i] for i in step["inputs"]], a)
        tensors.append(t)
    loss = None
    for i, t in enumerate(tensors):
        if i in read or not t.requires_grad:
            continue
        weight = torch.tensor(formula.tensor(f"{graph['seed']}/weight{i}", list(t.shape), *graph["weight"]))
        term = (t * weight).sum()
        loss = term if loss is None else loss + term
    if loss is not None:
        loss.backward()
    return {"values": [numbers(t) for t in tensors],
            "gradients": [numbers(t.grad) if t.is_leaf and t.grad is not None else [] for t in tensors],
            "shapes": [list(t.shape) for t in tensors], "margin": min(margin.smallest, 1e300)}


def main():
    torch.set_num_threads(1)
    with open(sys.argv[2], encoding="ascii") as file:
        graphs = json.load(file)
    with open(sys.argv[3], "w", encoding="ascii") as file:
        json.dump([run(graph) for graph in graphs], file)


main()
