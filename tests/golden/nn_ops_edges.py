"""Golden cases of single ops at the edges: bounds, ties, zeros, infinities and NaN, in double precision by
PyTorch.

Inputs, outputs and gradients are written out; the gradient that flows into output i is 1 + i mod 3. Numbers that
JSON does not have are the strings "nan", "inf" and "-inf". tests/nn/golden_ops_test.cpp runs them and lists what
differs on purpose.
"""

import math

import torch
import torch.nn.functional as F

import formula

INF, NAN = math.inf, math.nan
EVERYWHERE = [-INF, -3.0, -1.0, -0.0, 0.0, 1.0, 3.0, INF, NAN]


def text_or_number(value):
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return formula.number(value)


def written(tensor):
    tensor = tensor.detach().double()
    return {"shape": list(tensor.shape), "values": [text_or_number(v) for v in tensor.reshape(-1).tolist()]}


class Cases:
    def __init__(self):
        self.cases = {}

    def add(self, name, op, inputs, compute, attributes=None, constants=()):
        """`compute(tensors)` -> output, or (output, {name: extra output}); `inputs`: nested lists of numbers."""
        tensors = {}
        for key, values in inputs.items():
            tensors[key] = torch.tensor(values, dtype=torch.float64)
            tensors[key].requires_grad_(key not in constants)
        result = compute(tensors)
        output, extra = result if isinstance(result, tuple) else (result, {})
        case = {"op": op, "attributes": attributes or {},
                "inputs": {key: written(t) for key, t in tensors.items()},
                "outputs": {"y": written(output), **{key: written(t) for key, t in extra.items()}},
                "gradients": {}}
        if output.requires_grad:
            count = output.numel()
            output.backward(torch.tensor([1.0 + i % 3 for i in range(count)],
                                         dtype=torch.float64).reshape(output.shape))
            for key, t in tensors.items():
                if key not in constants:
                    case["gradients"][key] = written(t.grad)
        if name in self.cases:
            raise ValueError(f"two cases are called {name}")
        self.cases[name] = case


def elementwise(c):
    unary = {
        "neg": torch.neg, "exp": torch.exp, "log": torch.log, "sqrt": torch.sqrt, "square": torch.square,
        "abs": torch.abs, "relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh,
        "reciprocal": torch.reciprocal, "sin": torch.sin, "cos": torch.cos, "erf": torch.erf, "silu": F.silu,
        "gelu": F.gelu, "hardswish": F.hardswish, "hardsigmoid": F.hardsigmoid,
    }
    for op, function in unary.items():
        c.add(op, op, {"x": EVERYWHERE}, lambda t, f=function: f(t["x"]))
    c.add("leaky_relu", "leaky_relu", {"x": EVERYWHERE}, lambda t: F.leaky_relu(t["x"], 0.125), {"slope": 0.125})
    c.add("prelu", "prelu", {"x": EVERYWHERE, "w": [0.125]}, lambda t: F.prelu(t["x"], t["w"]))
    c.add("prelu_finite", "prelu", {"x": [[-2.0, -0.0], [0.0, 0.0], [3.0, -1.0]], "w": [-0.5, 2.0]},
          lambda t: F.prelu(t["x"], t["w"]))
    c.add("affine", "affine", {"x": EVERYWHERE}, lambda t: 0.5 * t["x"] - 1.25, {"scale": 0.5, "shift": -1.25})
    for name, low, high, x in (("relu6", 0.0, 6.0, [0.0, 6.0, -1.0, 7.0, 3.0, -INF, INF, NAN]),
                               ("unit", -1.0, 1.0, EVERYWHERE), ("one_value", 1.0, 1.0, EVERYWHERE)):
        c.add(f"clamp_{name}", "clamp", {"x": x}, lambda t, l=low, h=high: t["x"].clamp(l, h),
              {"low": low, "high": high})
    # Without -0, which PyTorch's square root treats otherwise than C's pow.
    base = [-INF, -2.0, -1.0, 0.0, 1.0, 2.0, INF, NAN]
    for name, exponent in (("zero", 0.0), ("one", 1.0), ("square", 2.0), ("cube", 3.0), ("inverse", -1.0),
                           ("inverse_square", -2.0), ("one_and_a_half", 1.5), ("large", 40.0)):
        c.add(f"pow_{name}", "pow", {"x": base}, lambda t, e=exponent: t["x"] ** e, {"exponent": exponent})
    c.add("pow_root", "pow", {"x": base[1:]}, lambda t: t["x"] ** 0.5, {"exponent": 0.5})
    numbers = (-INF, -1.0, -0.0, 0.0, 1.0, INF)
    pairs = [(a, b) for a in numbers for b in numbers]
    pairs = {"a": [a for a, _ in pairs], "b": [b for _, b in pairs]}
    with_nan = {"a": [NAN, NAN, 1.0, INF, NAN, -INF], "b": [1.0, NAN, NAN, NAN, -INF, NAN]}
    for op, function in (("add", torch.add), ("sub", torch.sub), ("mul", torch.mul), ("div", torch.div),
                         ("maximum", torch.maximum), ("minimum", torch.minimum)):
        constants = ("a", "b") if op in ("maximum", "minimum") else ()
        c.add(op, op, pairs, lambda t, f=function: f(t["a"], t["b"]))
        c.add(f"{op}_of_nan", op, with_nan, lambda t, f=function: f(t["a"], t["b"]), constants=constants)
    condition = [1, 0, 1, 0]
    c.add("where", "where", {"a": [NAN, INF, 1.0, NAN], "b": [INF, 2.0, NAN, -INF]},
          lambda t: torch.where(torch.tensor(condition).bool(), t["a"], t["b"]),
          {"condition": condition, "sizes": [4]})


def reductions(c):
    rows = [[1.0, 1.0, 0.0], [INF, 1.0, INF], [INF, -INF, 0.0], [NAN, 2.0, NAN], [-INF, -INF, -INF],
            [0.0, -0.0, 0.0], [1.0, NAN, 2.0]]
    for op, function in (("sum", torch.sum), ("mean", torch.mean)):
        c.add(op, op, {"x": rows}, lambda t, f=function: f(t["x"], (1,)), {"dims": [1], "keep": False})

    def maximum(t):
        values, indices = torch.max(t["x"], 1)
        return values, {"indices": indices}

    c.add("max", "max", {"x": rows}, maximum, {"dim": 1, "keep": False})
    c.add("argmax", "argmax", {"x": rows}, lambda t: torch.argmax(t["x"], 1), {"dim": 1}, ("x",))
    # Of equal elements PyTorch may take any: the values alone.
    c.add("topk", "topk", {"x": [[1.0, 3.0, INF], [-INF, NAN, 0.0], [0.0, 5.0, NAN]]},
          lambda t: torch.topk(t["x"], 2, 1).values, {"k": 2, "dim": 1})
    spread = [[2.0, 2.0, 2.0], [0.0, 0.0, 0.0], [1.0, 2.0, 4.0], [1.0, INF, 2.0], [1.0, NAN, 2.0]]
    for op, function in (("var", torch.var), ("std", torch.std)):
        for name, correction in (("", 1), ("_biased", 0)):
            c.add(f"{op}{name}", op, {"x": spread},
                  lambda t, f=function, n=correction: f(t["x"], dim=(1,), correction=n),
                  {"dims": [1], "keep": False, "correction": correction})
    c.add("std_of_one", "std", {"x": [[3.0], [-1.0]]}, lambda t: torch.std(t["x"], dim=(1,), correction=0),
          {"dims": [1], "keep": False, "correction": 0})
    exponents = [[-INF, 0.0, 1.0], [-INF, -INF, -INF], [INF, 0.0, 1.0], [NAN, 0.0, 1.0], [1e4, -1e4, 0.0],
                 [-INF, -INF, 2.0]]
    for op, function in (("softmax", F.softmax), ("log_softmax", F.log_softmax)):
        c.add(op, op, {"x": exponents}, lambda t, f=function: f(t["x"], 1), {"dim": 1})


def products_and_norms(c):
    c.add("matmul", "matmul", {"a": [[0.0, INF], [1.0, 2.0], [0.0, NAN], [0.0, 0.0]],
                               "b": [[1.0, INF, 0.0], [2.0, 3.0, 0.0]]}, lambda t: t["a"] @ t["b"])
    c.add("linear", "linear", {"x": [[0.0, 1.0], [INF, 0.0]], "w": [[0.0, 0.0], [1.0, -INF]], "b": [NAN, 0.0]},
          lambda t: F.linear(t["x"], t["w"], t["b"]))
    image = [[[[1.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, INF], [0.0, 0.0, 0.0, 1.0]]]]
    c.add("conv2d", "conv2d", {"x": image, "w": [[[[1.0, 0.0], [0.0, 2.0]]]], "b": [0.0]},
          lambda t: F.conv2d(t["x"], t["w"], t["b"]),
          {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1})
    c.add("conv1d", "conv1d", {"x": [[[0.0, INF, 1.0, 0.0, NAN, 2.0]]], "w": [[[1.0, 0.0]]], "b": [-0.0]},
          lambda t: F.conv1d(t["x"], t["w"], t["b"]), {"stride": 1, "padding": 0, "dilation": 1, "groups": 1})
    c.add("conv_transpose2d", "conv_transpose2d",
          {"x": [[[[1.0, INF], [0.0, 2.0]]]], "w": [[[[1.0, 0.0], [0.0, 1.0]]]], "b": [0.0]},
          lambda t: F.conv_transpose2d(t["x"], t["w"], t["b"]),
          {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "output_padding": [0, 0], "groups": 1})
    flat = {"x": [[[[5.0, 5.0]], [[1.0, 3.0]]], [[[5.0, 5.0]], [[2.0, 7.0]]]], "mean": [0.0, 0.0],
            "var": [1.0, 1.0], "gamma": [2.0, 1.0], "beta": [0.5, 0.0]}

    def norm(t, training):
        mean, var = t["mean"].clone(), t["var"].clone()
        y = F.batch_norm(t["x"], mean, var, t["gamma"], t["beta"], training, 0.1, 1e-5)
        return y, ({"running_mean": mean, "running_var": var} if training else {})

    c.add("batch_norm_constant", "batch_norm", flat, lambda t: norm(t, True),
          {"training": True, "momentum": 0.1}, ("mean", "var"))
    c.add("batch_norm_without_variance", "batch_norm", {**flat, "var": [0.0, 0.0]}, lambda t: norm(t, False),
          {"training": False, "momentum": 0.1}, ("mean", "var"))
    # Zero weights and zero betas: every value before the activation is exactly 0.
    dead = {"x": [[[[1.0, 2.0], [3.0, 4.0]]], [[[5.0, 6.0], [7.0, 8.0]]]], "w": [[[[0.0]]]], "gamma": [1.0],
            "beta": [0.0], "mean": [0.0], "var": [1.0]}

    def dead_relu(t, training, residual):
        y = F.conv2d(t["x"], t["w"])
        y = F.batch_norm(y, t["mean"].clone(), t["var"].clone(), t["gamma"], t["beta"], training, 0.1, 1e-5)
        return torch.relu(y + t["residual"]) if residual else torch.relu(y)

    for training in (True, False):
        for residual in (False, True):
            inputs = {**dead, "residual": [[[[0.0, 0.0], [0.0, 1.0]]], [[[-1.0, 0.0], [0.0, 2.0]]]]}
            if not residual:
                del inputs["residual"]
            c.add(f"conv_bn_{'add_' if residual else ''}relu_at_zero_{'train' if training else 'eval'}",
                  "conv_bn_act", inputs, lambda t, m=training, r=residual: dead_relu(t, m, r),
                  {"training": training, "relu": True, "stride": [1, 1], "padding": [0, 0]}, ("mean", "var"))
    same = {"w": [1.0, 2.0], "b": [0.0, 1.0]}
    c.add("layer_norm_constant", "layer_norm", {"x": [[3.0, 3.0], [0.0, 0.0], [1.0, 2.0], [INF, 1.0], [NAN, 1.0]],
                                                **same},
          lambda t: F.layer_norm(t["x"], [2], t["w"], t["b"], 1e-5), {"dims": 1})
    pixels = [[[[3.0, 0.0, 1.0, INF, NAN]], [[3.0, 0.0, 2.0, 1.0, 1.0]]]]
    c.add("layer_norm_channels_constant", "layer_norm_channels", {"x": pixels, **same},
          lambda t: F.layer_norm(t["x"].permute(0, 2, 3, 1), [2], t["w"], t["b"], 1e-6).permute(0, 3, 1, 2))
    c.add("group_norm_constant", "group_norm", {"x": [[3.0, 3.0], [1.0, 2.0]], **same},
          lambda t: F.group_norm(t["x"], 1, t["w"], t["b"], 1e-5), {"groups": 1})


def pools_and_moves(c):
    windows = [[[[1.0, 1.0, NAN, 2.0, -INF, -INF, INF, INF],
                 [1.0, 0.0, 2.0, 2.0, -INF, -INF, INF, 1.0]]]]
    window = {"kernel": [2, 2], "stride": [2, 2], "padding": [0, 0]}
    c.add("max_pool2d", "max_pool2d", {"x": windows}, lambda t: F.max_pool2d(t["x"], 2), window)
    padded = [[[[-INF, -INF], [-INF, 1.0]]]]
    c.add("max_pool2d_padded", "max_pool2d", {"x": padded}, lambda t: F.max_pool2d(t["x"], 2, 2, 1),
          {**window, "padding": [1, 1]})
    c.add("avg_pool2d", "avg_pool2d", {"x": windows}, lambda t: F.avg_pool2d(t["x"], 2),
          {**window, "count_include_pad": True})
    c.add("adaptive_avg_pool2d", "adaptive_avg_pool2d", {"x": windows},
          lambda t: F.adaptive_avg_pool2d(t["x"], (1, 4)), {"out": [1, 4]})
    odd = [[NAN, INF, 1.0], [-INF, 0.0, 2.0]]
    c.add("permute", "permute", {"x": odd}, lambda t: t["x"].permute(1, 0), {"order": [1, 0]})
    c.add("slice", "slice", {"x": odd}, lambda t: t["x"].narrow(1, 1, 2), {"dim": 1, "begin": 1, "end": 3})
    c.add("index_select", "index_select", {"x": odd},
          lambda t: torch.index_select(t["x"], 1, torch.tensor([2, 2, 1])), {"dim": 1, "indices": [2, 2, 1],
                                                                           "sizes": [3]})
    for name, sizes in (("reshape", [3, 2]), ("flatten", [6]), ("unsqueeze", [2, 1, 3])):
        attributes = {"reshape": {"sizes": sizes}, "flatten": {"start": 0, "end": 1}, "unsqueeze": {"dim": 1}}[name]
        c.add(name, name, {"x": odd}, lambda t, s=sizes: t["x"].reshape(s), attributes)
    c.add("squeeze", "squeeze", {"x": [[[NAN, INF, -0.0]], [[1.0, -INF, 2.0]]]}, lambda t: t["x"].squeeze(1),
          {"dim": 1})
    c.add("transpose", "transpose", {"x": odd}, lambda t: t["x"].transpose(0, 1), {"a": 0, "b": 1})
    c.add("concat", "concat", {"a": odd, "b": [[INF], [NAN]]}, lambda t: torch.cat([t["a"], t["b"]], 1), {"dim": 1})
    # One element twice, and infinities beside it.
    taken = [2, 2, 0, 1]
    c.add("gather", "gather", {"x": odd}, lambda t: torch.gather(t["x"], 1, torch.tensor(taken).reshape(2, 2)),
          {"dim": 1, "indices": taken, "sizes": [2, 2]})
    # Finite: where an infinity goes differs (docs/support.md).
    small = [[[[1.0, 1.0, 0.0], [2.0, -0.0, 0.0]]]]
    c.add("upsample_nearest2d", "upsample_nearest2d", {"x": small},
          lambda t: F.interpolate(t["x"], size=(4, 3), mode="nearest"), {"out": [4, 3]})
    ties = [[[[1.0, 1.0], [0.0, 0.0]]]]
    for name, out, corners in (("same_size", [2, 2], False), ("one_pixel", [1, 1], False), ("corners", [3, 1], True)):
        c.add(f"upsample_bilinear2d_{name}", "upsample_bilinear2d", {"x": ties},
              lambda t, o=out, a=corners: F.interpolate(t["x"], size=o, mode="bilinear", align_corners=a),
              {"out": out, "align_corners": corners})
    c.add("embedding", "embedding", {"table": odd}, lambda t: F.embedding(torch.tensor([1, 1]), t["table"]),
          {"indices": [1, 1], "sizes": [2]})
    c.add("dropout_of_all", "dropout", {"x": [1.0, -2.0, 0.0]}, lambda t: F.dropout(t["x"], 1.0),
          {"p": 1.0, "training": True})


def losses(c):
    target = {"x": [1.0, 0.0, INF, NAN, -INF], "target": [1.0, 0.0, 0.0, 0.0, -INF]}
    for op, function in (("mse_loss", F.mse_loss), ("l1_loss", F.l1_loss)):
        c.add(op, op, target, lambda t, f=function: f(t["x"], t["target"], reduction="none"),
              {"reduction": "none"}, ("target",))
    c.add("kl_div", "kl_div", {"x": [[-1.0, -2.0, -3.0]], "target": [[0.0, 1.0, 0.5]]},
          lambda t: F.kl_div(t["x"], t["target"], reduction="sum"), {"reduction": "sum"}, ("target",))
    c.add("bce_with_logits", "bce_with_logits", {"x": [0.0, 0.0, 200.0, -200.0, NAN],
                                                 "target": [0.0, 1.0, 0.0, 0.0, 0.0]},
          lambda t: F.binary_cross_entropy_with_logits(t["x"], t["target"], reduction="none"),
          {"reduction": "none"}, ("target",))
    # Ties, certainty right and wrong, a class that is impossible and another that is the truth, no finite answer.
    logits = [[0.0, 0.0, 0.0], [1e4, -1e4, 0.0], [1e4, -1e4, 0.0], [-INF, 0.0, 1.0], [-INF, 0.0, 1.0],
              [INF, 0.0, 0.0], [NAN, 0.0, 0.0]]
    labels = [1, 0, 1, 2, 0, 0, 2]
    plain = {"label_smoothing": 0.0, "soft": False, "ignore": False}

    def hard(name, rows, targets, reduction, **options):
        c.add(name, "cross_entropy", {"logits": rows},
              lambda t: F.cross_entropy(t["logits"], torch.tensor(targets), reduction=reduction, **options),
              {**plain, **options, "reduction": reduction, "indices": targets, "sizes": [len(targets)]})

    hard("cross_entropy", logits, labels, "none")
    hard("cross_entropy_of_some_ignored", logits[:4], [-100, 0, -100, 2], "mean")
    hard("cross_entropy_of_all_ignored", logits[:2], [-100, -100], "mean")
    hard("cross_entropy_smoothed", logits[:4], labels[:4], "none", label_smoothing=0.25)
    c.add("cross_entropy_soft", "cross_entropy", {"logits": logits[:3], "targets": [[0.0, 1.0, 0.0], [0.5, 0.0, 0.5],
                                                                                  [0.0, 0.0, 0.0]]},
          lambda t: F.cross_entropy(t["logits"], t["targets"], reduction="none"),
          {**plain, "soft": True, "reduction": "none"}, ("targets",))

    def focal(t, gamma, targets):
        log_p = F.log_softmax(t["logits"], 1)[torch.arange(len(targets)), torch.tensor(targets)]
        return -((1 - log_p.exp()) ** gamma) * log_p

    for name, gamma, count in (("focal_loss", 2.0, 4), ("focal_loss_without_focus", 0.0, 6)):
        c.add(name, "focal_loss", {"logits": logits[:count]}, lambda t, g=gamma, n=count: focal(t, g, labels[:n]),
              {"gamma": gamma, "reduction": "none", "indices": labels[:count], "sizes": [count]})


def edges():
    c = Cases()
    for part in (elementwise, reductions, products_and_norms, pools_and_moves, losses):
        part(c)
    return c.cases


FILES = {"nn_ops_edges.json": edges}
