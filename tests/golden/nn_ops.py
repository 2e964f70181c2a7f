"""Golden cases of single ops: forward and gradients in double precision by PyTorch.

A case's inputs are formula tensors named "ops/CASE/INPUT"; the gradient that flows into its output is
the formula tensor "ops/CASE/dy". tests/nn/golden_ops_test.cpp has the C++ side of each op.
"""

import torch
import torch.nn.functional as F

import formula

BITS = 12


def spec(shape, stddev=1.0, center=0.0, bits=BITS):
    return {
        "shape": list(shape),
        "spread": formula.spread_of(stddev, bits),
        "bits": bits,
        "center": int(round(center * 2**bits)),
    }


def distinct(shape):
    """Enough bits that equal elements are unlikely: for ops that select a maximum."""
    return spec(shape, bits=20)


class Cases:
    def __init__(self):
        self.cases = {}

    def add(self, name, op, inputs, compute, attributes=None, constants=(), margin=None):
        """`compute(tensors)` -> output, or (output, {name: extra output}).

        `constants` names inputs without gradient. `margin(tensors)` -> smallest distance of anything
        that a comparison with zero decides; below 1e-4 rounding could decide it otherwise.
        """
        tensors = {}
        for key, s in inputs.items():
            values = formula.tensor(f"ops/{name}/{key}", s["shape"], s["spread"], s["bits"], s["center"])
            tensors[key] = torch.tensor(values, dtype=torch.float64)
            if key not in constants:
                tensors[key].requires_grad_()
        if margin is not None:
            with torch.no_grad():
                nearest = float(margin(tensors))
            if nearest < 1e-4:
                raise ValueError(f"{name}: something is {nearest} from zero: rename the case")
        result = compute(tensors)
        output, extra = result if isinstance(result, tuple) else (result, {})
        case = {"op": op, "attributes": attributes or {}, "inputs": inputs}
        case["outputs"] = {"y": formula.fingerprint(f"ops/{name}/y", output.detach().numpy())}
        for key, value in extra.items():
            case["outputs"][key] = formula.fingerprint(f"ops/{name}/{key}", value.detach().numpy())
        case["gradients"] = {}
        wanted = [key for key in inputs if key not in constants]
        if wanted:
            shape = list(output.shape)
            case["dy"] = spec(shape)
            dy = formula.tensor(f"ops/{name}/dy", shape, case["dy"]["spread"], BITS)
            output.backward(torch.tensor(dy, dtype=torch.float64))
            for key in wanted:
                gradient = tensors[key].grad
                case["gradients"][key] = formula.fingerprint(f"ops/{name}/d{key}", gradient.numpy())
        if name in self.cases:
            raise ValueError(f"two cases are called {name}")
        self.cases[name] = case


def elementwise():
    c = Cases()
    pairs = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "maximum": torch.maximum,
             "minimum": torch.minimum}
    for op, function in pairs.items():
        c.add(f"{op}_same", op, {"a": distinct([3, 5]), "b": distinct([3, 5])},
              lambda t, f=function: f(t["a"], t["b"]))
        c.add(f"{op}_broadcast", op, {"a": distinct([2, 3, 5, 7]), "b": distinct([3, 1, 1])},
              lambda t, f=function: f(t["a"], t["b"]))
    c.add("div_same", "div", {"a": spec([4, 9]), "b": spec([4, 9], 0.5, 2.0)},
          lambda t: t["a"] / t["b"])
    c.add("div_broadcast", "div", {"a": spec([5, 1]), "b": spec([3, 1, 7], 0.5, 2.0)},
          lambda t: t["a"] / t["b"])
    c.add("affine", "affine", {"x": spec([3, 17])}, lambda t: 0.5 * t["x"] - 1.25,
          {"scale": 0.5, "shift": -1.25})
    away = distinct([5, 13])  # from zero, where |x| and relu have a kink
    positive = spec([5, 13], 0.5, 1.5)
    unary = {
        "neg": (away, torch.neg), "exp": (spec([5, 13]), torch.exp), "log": (positive, torch.log),
        "sqrt": (positive, torch.sqrt), "square": (spec([5, 13]), torch.square),
        "abs": (away, torch.abs), "relu": (away, torch.relu),
        "sigmoid": (spec([5, 13], 3.0), torch.sigmoid), "tanh": (spec([5, 13], 1.5), torch.tanh),
    }
    for op, (x, function) in unary.items():
        c.add(op, op, {"x": x}, lambda t, f=function: f(t["x"]))
    c.add("leaky_relu", "leaky_relu", {"x": away}, lambda t: F.leaky_relu(t["x"], 0.125),
          {"slope": 0.125})
    for name, shape, slopes in (("prelu", [2, 5, 4, 3], 5), ("prelu_one_slope", [2, 5, 4, 3], 1),
                                ("prelu_features", [7, 6], 6), ("prelu_sequence", [3, 4, 5], 4)):
        c.add(name, "prelu", {"x": distinct(shape), "w": spec([slopes], 0.25, 0.25)},
              lambda t: F.prelu(t["x"], t["w"]))
    c.add("relu_image", "relu", {"x": distinct([2, 3, 4, 5])}, lambda t: torch.relu(t["x"]))
    return c.cases


def products():
    c = Cases()
    c.add("matmul", "matmul", {"a": spec([7, 19]), "b": spec([19, 5])}, lambda t: t["a"] @ t["b"])
    c.add("matmul_batch", "matmul", {"a": spec([3, 4, 6]), "b": spec([3, 6, 9])},
          lambda t: t["a"] @ t["b"])
    c.add("linear", "linear", {"x": spec([5, 33]), "w": spec([17, 33], 0.25), "b": spec([17], 0.1)},
          lambda t: F.linear(t["x"], t["w"], t["b"]))
    c.add("linear_no_bias", "linear", {"x": spec([1, 8]), "w": spec([3, 8], 0.5)},
          lambda t: F.linear(t["x"], t["w"]))

    def conv(name, x, w, bias=False, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
        fan_in = w[1] * w[2] * w[3]
        inputs = {"x": spec(x), "w": spec(w, (2.0 / fan_in) ** 0.5)}
        if bias:
            inputs["b"] = spec([w[0]], 0.1)
        c.add(name, "conv2d", inputs,
              lambda t: F.conv2d(t["x"], t["w"], t.get("b"), stride, padding, dilation, groups),
              {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups})

    conv("conv2d_3x3", [2, 5, 9, 8], [7, 5, 3, 3], True, padding=(1, 1))
    conv("conv2d_wide", [1, 16, 14, 14], [24, 16, 3, 3], padding=(1, 1))
    conv("conv2d_3x3_stride2", [2, 16, 15, 14], [8, 16, 3, 3], stride=(2, 2), padding=(1, 1))
    conv("conv2d_stem", [1, 3, 32, 30], [16, 3, 7, 7], stride=(2, 2), padding=(3, 3))
    conv("conv2d_1x1", [2, 12, 7, 6], [20, 12, 1, 1])
    conv("conv2d_1x1_stride2", [2, 8, 7, 8], [16, 8, 1, 1], stride=(2, 2))
    conv("conv2d_5x5", [2, 1, 12, 12], [6, 1, 5, 5], True)
    conv("conv2d_uneven", [2, 4, 11, 9], [6, 4, 1, 4], True, (3, 2), (0, 2), (1, 2))
    conv("conv2d_dilated", [1, 6, 13, 12], [4, 6, 3, 3], padding=(2, 2), dilation=(2, 2))
    conv("conv2d_groups", [2, 8, 8, 7], [12, 2, 3, 3], True, padding=(1, 1), groups=4)
    conv("conv2d_depthwise", [2, 9, 8, 7], [9, 1, 3, 3], stride=(2, 2), padding=(1, 1), groups=9)
    conv("conv2d_one_pixel", [3, 10, 1, 1], [4, 10, 3, 3], padding=(1, 1))
    return c.cases


def norms_and_pools():
    c = Cases()

    def bn_inputs(x, channels, affine=True):
        inputs = {"x": spec(x, 1.0, 0.5), "mean": spec([channels], 0.25, 0.5),
                  "var": spec([channels], 0.25, 1.25)}
        if affine:
            inputs["gamma"] = spec([channels], 0.25, 1.0)
            inputs["beta"] = spec([channels], 0.25)
        return inputs

    def batch_norm(t, x, training, momentum, extra):
        mean, var = t["mean"].clone(), t["var"].clone()
        y = F.batch_norm(x, mean, var, t.get("gamma"), t.get("beta"), training, momentum, 1e-5)
        extra.update({"running_mean": mean, "running_var": var} if training else {})
        return y

    def bn_case(name, x, training, momentum=0.1, affine=True):
        def compute(t):
            extra = {}
            return batch_norm(t, t["x"], training, momentum, extra), extra

        c.add(name, "batch_norm", bn_inputs(x, x[1], affine), compute,
              {"training": training, "momentum": momentum}, ("mean", "var"))

    bn_case("batch_norm_train", [3, 5, 4, 7], True)
    bn_case("batch_norm_train_momentum", [2, 3, 6, 5], True, 0.3)
    bn_case("batch_norm_train_features", [11, 6], True)
    bn_case("batch_norm_train_no_affine", [4, 3, 3, 3], True, affine=False)
    bn_case("batch_norm_eval", [3, 5, 4, 7], False)
    bn_case("batch_norm_eval_features", [11, 6], False)

    def conv_bn_case(name, x, w, training, residual, relu, stride=1, padding=1):
        inputs = bn_inputs(x, w[0])
        inputs["w"] = spec(w, (2.0 / (w[1] * w[2] * w[3])) ** 0.5)
        out = [x[0], w[0]] + [(s + 2 * padding - w[2]) // stride + 1 for s in x[2:]]
        if residual:
            inputs["residual"] = spec(out)

        def before_relu(t, extra):
            y = F.conv2d(t["x"], t["w"], None, stride, padding)
            y = batch_norm(t, y, training, 0.1, extra)
            return y + t["residual"] if residual else y

        def compute(t):
            extra = {}
            y = before_relu(t, extra)
            return (torch.relu(y) if relu else y), extra

        c.add(name, "conv_bn_act", inputs, compute,
              {"training": training, "relu": relu, "stride": [stride] * 2, "padding": [padding] * 2},
              ("mean", "var"), (lambda t: before_relu(t, {}).abs().min()) if relu else None)

    for training, mode in ((True, "train"), (False, "eval")):
        conv_bn_case(f"conv_bn_relu_{mode}", [2, 6, 7, 6], [8, 6, 3, 3], training, False, True)
        conv_bn_case(f"conv_bn_add_relu_{mode}", [2, 8, 5, 6], [8, 8, 3, 3], training, True, True)
        conv_bn_case(f"conv_bn_{mode}", [2, 8, 8, 7], [16, 8, 1, 1], training, False, False, 2, 0)

    def pool(name, op, x, kernel, stride, padding, function, **attributes):
        c.add(name, op, {"x": distinct(x)}, lambda t: function(t["x"], kernel, stride, padding),
              {"kernel": kernel, "stride": stride, "padding": padding, **attributes})

    pool("max_pool_resnet", "max_pool2d", [2, 3, 9, 8], [3, 3], [2, 2], [1, 1], F.max_pool2d)
    pool("max_pool_2x2", "max_pool2d", [2, 5, 6, 7], [2, 2], [2, 2], [0, 0], F.max_pool2d)
    pool("max_pool_uneven", "max_pool2d", [1, 4, 9, 10], [4, 3], [3, 2], [2, 1], F.max_pool2d)
    pool("avg_pool_2x2", "avg_pool2d", [2, 5, 6, 7], [2, 2], [2, 2], [0, 0], F.avg_pool2d,
         count_include_pad=True)
    pool("avg_pool_padded", "avg_pool2d", [2, 3, 7, 8], [3, 3], [2, 2], [1, 1], F.avg_pool2d,
         count_include_pad=True)
    pool("avg_pool_not_counting_padding", "avg_pool2d", [2, 3, 7, 8], [3, 2], [2, 2], [1, 1],
         lambda x, k, s, p: F.avg_pool2d(x, k, s, p, count_include_pad=False),
         count_include_pad=False)
    # The last window reaches beyond the padded image, or is left out because it would start there.
    for h, w, kernel, stride, padding in ((6, 7, 2, 2, 0), (22, 46, 3, 2, 0), (8, 10, 3, 2, 1), (5, 3, 2, 3, 1),
                                          (1, 2, 2, 2, 0), (7, 9, 4, 3, 2)):
        name = f"{h}x{w}_k{kernel}_s{stride}_p{padding}"
        for op, function in (("max", F.max_pool2d), ("avg", F.avg_pool2d)):
            attributes = {"count_include_pad": True} if op == "avg" else {}
            pool(f"{op}_pool_ceil_{name}", f"{op}_pool2d", [2, 3, h, w], [kernel] * 2, [stride] * 2, [padding] * 2,
                 lambda x, k, s, p, f=function: f(x, k, s, p, ceil_mode=True), ceil_mode=True, **attributes)
    for x, out in (([2, 5, 7, 7], [1, 1]), ([2, 3, 7, 5], [3, 2]), ([1, 4, 2, 3], [4, 5])):
        c.add(f"adaptive_avg_pool_{x[2]}x{x[3]}_to_{out[0]}x{out[1]}", "adaptive_avg_pool2d",
              {"x": spec(x)}, lambda t, o=out: F.adaptive_avg_pool2d(t["x"], o), {"out": out})
    return c.cases


def losses_and_reductions():
    c = Cases()
    for op, function in (("softmax", F.softmax), ("log_softmax", F.log_softmax)):
        c.add(f"{op}_last", op, {"x": spec([5, 11], 2.0)}, lambda t, f=function: f(t["x"], -1),
              {"dim": -1})
        c.add(f"{op}_channels", op, {"x": spec([2, 5, 3, 4], 2.0)},
              lambda t, f=function: f(t["x"], 1), {"dim": 1})
        c.add(f"{op}_first", op, {"x": spec([4, 3, 2], 2.0)}, lambda t, f=function: f(t["x"], 0),
              {"dim": 0})
    c.add("softmax_large", "softmax", {"x": spec([3, 4], 2.0, 100.0, 8)},
          lambda t: F.softmax(t["x"], 1), {"dim": 1})

    def cross_entropy(name, samples, classes, reduction="mean", smoothing=0.0, weighted=False,
                      soft=False, ignore=False):
        inputs = {"logits": spec([samples, classes], 2.0)}
        constants = []
        if weighted:
            inputs["class_weights"] = spec([classes], 0.25, 1.0)
            constants.append("class_weights")
        if soft:
            inputs["targets"] = spec([samples, classes], 0.05, 0.25)
            constants.append("targets")
            targets = None
        else:
            targets = torch.tensor(formula.integers(f"ops/{name}/targets", samples, classes))
            if ignore:
                targets[1::3] = -100

        c.add(name, "cross_entropy", inputs,
              lambda t: F.cross_entropy(t["logits"], t["targets"] if soft else targets,
                                        t.get("class_weights"), reduction=reduction,
                                        label_smoothing=smoothing),
              {"reduction": reduction, "label_smoothing": smoothing, "soft": soft,
               "ignore": ignore}, constants)

    cross_entropy("cross_entropy", 7, 10)
    cross_entropy("cross_entropy_sum", 7, 3, "sum")
    cross_entropy("cross_entropy_none", 7, 3, "none")
    cross_entropy("cross_entropy_weighted", 9, 5, weighted=True)
    cross_entropy("cross_entropy_smoothed", 9, 5, smoothing=0.1)
    cross_entropy("cross_entropy_weighted_smoothed", 9, 5, smoothing=0.25, weighted=True)
    cross_entropy("cross_entropy_weighted_smoothed_none", 9, 5, "none", 0.25, True)
    cross_entropy("cross_entropy_ignoring", 9, 5, weighted=True, ignore=True)
    cross_entropy("cross_entropy_ignoring_smoothed", 9, 5, smoothing=0.1, ignore=True)
    cross_entropy("cross_entropy_soft", 6, 4, soft=True)
    cross_entropy("cross_entropy_soft_weighted_smoothed", 6, 4, smoothing=0.1, weighted=True,
                  soft=True)
    for op, function in (("sum", torch.sum), ("mean", torch.mean)):
        c.add(f"{op}_all", op, {"x": spec([2, 3, 5, 4])}, lambda t, f=function: f(t["x"]),
              {"dims": [], "keep": False})
        c.add(f"{op}_pixels", op, {"x": spec([2, 3, 5, 4])},
              lambda t, f=function: f(t["x"], (2, 3)), {"dims": [2, 3], "keep": False})
        c.add(f"{op}_channels_kept", op, {"x": spec([2, 3, 5, 4])},
              lambda t, f=function: f(t["x"], (1,), keepdim=True), {"dims": [1], "keep": True})
        c.add(f"{op}_rows", op, {"x": spec([7, 9])}, lambda t, f=function: f(t["x"], (-1,)),
              {"dims": [-1], "keep": False})
    for name, shape, dim, keep in (("max_rows", [6, 9], 1, False),
                                   ("max_channels", [2, 5, 3, 4], 1, False),
                                   ("max_last_kept", [3, 4, 5], -1, True)):
        def maximum(t, d=dim, k=keep):
            values, indices = torch.max(t["x"], d, keepdim=k)
            return values, {"indices": indices}

        c.add(name, "max", {"x": distinct(shape)}, maximum, {"dim": dim, "keep": keep})
    c.add("argmax", "argmax", {"x": distinct([8, 5])}, lambda t: torch.argmax(t["x"], 1), {"dim": 1},
          constants=("x",))
    c.add("argmax_channels", "argmax", {"x": distinct([2, 5, 3, 4])},
          lambda t: torch.argmax(t["x"], 1), {"dim": 1}, constants=("x",))
    return c.cases


def shapes():
    c = Cases()
    image = spec([2, 3, 4, 5])
    for name, x, sizes in (("reshape_image", image, [2, 60]), ("reshape_inferred", image, [6, -1]),
                           ("reshape_to_image", spec([6, 20]), [2, 3, 4, 5]),
                           ("reshape_image_to_image", image, [1, 6, 5, 4]),
                           ("reshape_flat", spec([4, 6]), [3, 8])):
        c.add(name, "reshape", {"x": x}, lambda t, s=sizes: t["x"].reshape(s), {"sizes": sizes})
    for name, start, end in (("flatten_image", 1, -1), ("flatten_all", 0, -1),
                             ("flatten_pixels", 2, 3)):
        c.add(name, "flatten", {"x": image}, lambda t, s=start, e=end: torch.flatten(t["x"], s, e),
              {"start": start, "end": end})
    for name, x, order in (("permute_image", image, [0, 2, 3, 1]), ("permute_image_back", image, [3, 1, 0, 2]),
                           ("permute_rank3", spec([2, 5, 3]), [2, 0, 1])):
        c.add(name, "permute", {"x": x}, lambda t, o=order: t["x"].permute(o), {"order": order})
    c.add("transpose", "transpose", {"x": spec([5, 7])}, lambda t: t["x"].transpose(0, 1),
          {"a": 0, "b": 1})
    c.add("transpose_image", "transpose", {"x": image}, lambda t: t["x"].transpose(1, -1),
          {"a": 1, "b": -1})
    for name, x, dim, begin, end in (("slice_rows", spec([7, 5]), 0, 2, 5),
                                     ("slice_channels", spec([2, 6, 3, 4]), 1, 1, 4),
                                     ("slice_width", spec([2, 3, 4, 6]), -1, 2, 6)):
        c.add(name, "slice", {"x": x},
              lambda t, d=dim, b=begin, e=end: t["x"].narrow(d, b, e - b),
              {"dim": dim, "begin": begin, "end": end})
    for name, a, b, dim in (("concat_rows", [2, 5], [3, 5], 0),
                            ("concat_channels", [2, 3, 4, 5], [2, 2, 4, 5], 1),
                            ("concat_height", [2, 3, 4, 5], [2, 3, 1, 5], 2)):
        c.add(name, "concat", {"a": spec(a), "b": spec(b)},
              lambda t, d=dim: torch.cat([t["a"], t["b"]], d), {"dim": dim})
    c.add("unsqueeze", "unsqueeze", {"x": spec([3, 4, 5])}, lambda t: t["x"].unsqueeze(1), {"dim": 1})
    c.add("unsqueeze_image", "unsqueeze", {"x": image}, lambda t: t["x"].unsqueeze(-1), {"dim": -1})
    c.add("squeeze", "squeeze", {"x": spec([3, 1, 5, 4])}, lambda t: t["x"].squeeze(1), {"dim": 1})
    c.add("squeeze_to_image", "squeeze", {"x": spec([2, 3, 1, 4, 5])}, lambda t: t["x"].squeeze(2),
          {"dim": 2})
    c.add("dropout_in_evaluation", "dropout", {"x": spec([4, 5])}, lambda t: t["x"] * 1.0,
          {"p": 0.5, "training": False})
    c.add("dropout_of_nothing", "dropout", {"x": spec([4, 5])}, lambda t: t["x"] * 1.0,
          {"p": 0.0, "training": True})
    return c.cases


FILES = {
    "nn_ops_elementwise.json": elementwise,
    "nn_ops_products.json": products,
    "nn_ops_norms_pools.json": norms_and_pools,
    "nn_ops_losses_reductions.json": losses_and_reductions,
    "nn_ops_shapes.json": shapes,
}
