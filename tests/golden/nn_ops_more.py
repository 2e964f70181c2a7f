"""Golden cases of further ops; see nn_ops.py."""

import torch
import torch.nn.functional as F

import formula
from nn_ops import Cases, distinct, spec


def activations_and_norms():
    c = Cases()
    x, positive = distinct([5, 13]), spec([5, 13], 0.5, 1.5)
    wide = spec([5, 13], 3.0, bits=20)
    unary = {
        "reciprocal": (positive, torch.reciprocal), "sin": (wide, torch.sin), "cos": (wide, torch.cos),
        "erf": (x, torch.erf), "silu": (wide, F.silu), "gelu": (wide, F.gelu),
        "hardswish": (wide, F.hardswish), "hardsigmoid": (wide, F.hardsigmoid),
    }
    for op, (values, function) in unary.items():
        c.add(op, op, {"x": values}, lambda t, f=function: f(t["x"]))
    for name, values, exponent in (("pow_cube", x, 3.0), ("pow_root", positive, 0.5),
                                   ("pow_negative", positive, -1.5)):
        c.add(name, "pow", {"x": values}, lambda t, e=exponent: t["x"] ** e, {"exponent": exponent})
    c.add("clamp", "clamp", {"x": x}, lambda t: t["x"].clamp(-0.5, 0.75), {"low": -0.5, "high": 0.75})
    condition = [int(v) for v in formula.integers("ops/where/condition", 12, 2)]
    mask = torch.tensor(condition).reshape(3, 4).bool()
    c.add("where", "where", {"a": spec([3, 4]), "b": spec([4])},
          lambda t: torch.where(mask, t["a"], t["b"]), {"condition": condition, "sizes": [3, 4]})

    def affine(channels):
        return {"w": spec(channels, 0.25, 1.0), "b": spec(channels, 0.25)}

    for name, shape, dims in (("layer_norm_last", [4, 3, 10], 1), ("layer_norm_two", [4, 3, 10], 2)):
        c.add(name, "layer_norm", {"x": spec(shape, 1.0, 0.5), **affine(shape[-dims:])},
              lambda t, s=shape, d=dims: F.layer_norm(t["x"], s[-d:], t["w"], t["b"], 1e-5),
              {"dims": dims})
    c.add("layer_norm_plain", "layer_norm", {"x": spec([6, 9])},
          lambda t: F.layer_norm(t["x"], [9], eps=1e-5), {"dims": 1})
    c.add("layer_norm_channels", "layer_norm_channels",
          {"x": spec([2, 6, 3, 4], 1.0, 0.5), **affine([6])},
          lambda t: F.layer_norm(t["x"].permute(0, 2, 3, 1), [6], t["w"], t["b"], 1e-6)
          .permute(0, 3, 1, 2))
    for name, shape, groups in (("group_norm", [2, 6, 3, 4], 3), ("group_norm_instance", [2, 4, 5, 3], 4),
                                ("group_norm_features", [5, 8], 2)):
        c.add(name, "group_norm", {"x": spec(shape, 1.0, 0.5), **affine([shape[1]])},
              lambda t, g=groups: F.group_norm(t["x"], g, t["w"], t["b"], 1e-5), {"groups": groups})
    return c.cases


def convolutions_and_resizing():
    c = Cases()
    for name, x, w, stride, padding, dilation, groups in (
            ("conv1d", [2, 4, 13], [6, 4, 3], 1, 1, 1, 1),
            ("conv1d_uneven", [2, 6, 15], [4, 3, 4], 2, 2, 2, 2)):
        c.add(name, "conv1d", {"x": spec(x), "w": spec(w, 0.5), "b": spec([w[0]], 0.1)},
              lambda t, s=stride, p=padding, d=dilation, g=groups:
              F.conv1d(t["x"], t["w"], t["b"], s, p, d, g),
              {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups})
    for name, x, w, stride, padding, output_padding, dilation, groups in (
            ("conv_transpose2d", [2, 4, 5, 6], [4, 3, 3, 3], [1, 1], [0, 0], [0, 0], [1, 1], 1),
            ("conv_transpose2d_doubling", [2, 6, 4, 5], [6, 4, 3, 3], [2, 2], [1, 1], [1, 1], [1, 1], 1),
            ("conv_transpose2d_uneven", [1, 4, 5, 3], [4, 3, 2, 4], [3, 2], [1, 2], [2, 0], [1, 2], 2)):
        out = w[1] * groups
        c.add(name, "conv_transpose2d", {"x": spec(x), "w": spec(w, 0.5), "b": spec([out], 0.1)},
              lambda t, s=stride, p=padding, o=output_padding, d=dilation, g=groups:
              F.conv_transpose2d(t["x"], t["w"], t["b"], s, p, o, g, d),
              {"stride": stride, "padding": padding, "output_padding": output_padding,
               "dilation": dilation, "groups": groups})
    for name, x, out in (("upsample_nearest_double", [2, 3, 4, 5], [8, 10]),
                         ("upsample_nearest_uneven", [1, 3, 5, 4], [7, 9])):
        c.add(name, "upsample_nearest2d", {"x": spec(x)},
              lambda t, o=out: F.interpolate(t["x"], o, mode="nearest"), {"out": out})
    for name, x, out, align in (("upsample_bilinear_double", [2, 3, 4, 5], [8, 10], False),
                                ("upsample_bilinear_uneven", [1, 3, 5, 4], [7, 9], False),
                                ("upsample_bilinear_down", [1, 2, 9, 8], [4, 5], False),
                                ("upsample_bilinear_corners", [2, 3, 4, 5], [9, 7], True)):
        c.add(name, "upsample_bilinear2d", {"x": spec(x)},
              lambda t, o=out, a=align: F.interpolate(t["x"], o, mode="bilinear", align_corners=a),
              {"out": out, "align_corners": align})
    return c.cases


def losses_and_indices():
    c = Cases()
    for reduction in ("mean", "sum", "none"):
        c.add(f"mse_loss_{reduction}", "mse_loss", {"x": spec([4, 7]), "target": spec([4, 7])},
              lambda t, r=reduction: F.mse_loss(t["x"], t["target"], reduction=r),
              {"reduction": reduction}, ("target",))
        c.add(f"l1_loss_{reduction}", "l1_loss", {"x": distinct([4, 7]), "target": distinct([4, 7])},
              lambda t, r=reduction: F.l1_loss(t["x"], t["target"], reduction=r),
              {"reduction": reduction}, ("target",))
        c.add(f"bce_with_logits_{reduction}", "bce_with_logits",
              {"x": spec([4, 7], 3.0), "target": spec([4, 7], 0.25, 0.5)},
              lambda t, r=reduction: F.binary_cross_entropy_with_logits(t["x"], t["target"],
                                                                       reduction=r),
              {"reduction": reduction}, ("target",))
    for reduction, theirs in (("mean", "batchmean"), ("sum", "sum")):
        c.add(f"kl_div_{reduction}", "kl_div",
              {"x": spec([4, 7], 1.0, -2.0), "target": spec([4, 7], 0.05, 0.25)},
              lambda t, r=theirs: F.kl_div(t["x"], t["target"], reduction=r),
              {"reduction": reduction}, ("target",))

    def focal(name, gamma, weighted, reduction):
        targets = formula.integers(f"ops/{name}/targets", 8, 5)
        inputs = {"logits": spec([8, 5], 2.0)}
        if weighted:
            inputs["alpha"] = spec([5], 0.25, 1.0)

        def compute(t):
            rows, labels = torch.arange(8), torch.tensor(targets)
            log_p = F.log_softmax(t["logits"], 1)[rows, labels]
            losses = -((1 - log_p.exp()) ** gamma) * log_p
            if weighted:
                losses = losses * t["alpha"][labels]
            return losses.mean() if reduction == "mean" else losses

        c.add(name, "focal_loss", inputs, compute, {"gamma": gamma, "reduction": reduction},
              ("alpha",) if weighted else ())

    focal("focal_loss", 2.0, False, "mean")
    focal("focal_loss_weighted", 1.5, True, "mean")
    focal("focal_loss_none", 2.0, True, "none")
    for op, function in (("var", torch.var), ("std", torch.std)):
        for name, dims, keep, correction in (("all", None, False, 1), ("pixels", (2, 3), False, 0),
                                             ("channels_kept", (1,), True, 1)):
            c.add(f"{op}_{name}", op, {"x": spec([2, 3, 4, 5], 1.0, 0.5)},
                  lambda t, f=function, d=dims, k=keep, n=correction:
                  f(t["x"], dim=d, correction=n, keepdim=k),
                  {"dims": list(dims or ()), "keep": keep, "correction": correction})
    for name, shape, k, dim in (("topk_rows", [5, 9], 3, 1), ("topk_channels", [2, 6, 3, 4], 2, 1)):
        def largest(t, k=k, d=dim):
            values, indices = torch.topk(t["x"], k, d)
            return values, {"indices": indices}

        c.add(name, "topk", {"x": distinct(shape)}, largest, {"k": k, "dim": dim})

    def draw(name, count, limit):
        return [int(v) for v in formula.integers(f"ops/{name}/indices", count, limit)]

    for name, shape, dim in (("index_select_rows", [6, 5], 0), ("index_select_channels", [2, 5, 3, 4], 1)):
        indices = draw(name, 7, shape[dim])
        c.add(name, "index_select", {"x": spec(shape)},
              lambda t, d=dim, i=indices: torch.index_select(t["x"], d, torch.tensor(i)),
              {"dim": dim, "indices": indices, "sizes": [7]})
    for name, shape, sizes, dim in (("gather_rows", [4, 6], [4, 3], 1),
                                    ("gather_channels", [2, 5, 3, 2], [2, 3, 3, 2], 1)):
        count = 1
        for size in sizes:
            count *= size
        indices = draw(name, count, shape[dim])
        c.add(name, "gather", {"x": spec(shape)},
              lambda t, d=dim, i=indices, s=sizes:
              torch.gather(t["x"], d, torch.tensor(i).reshape(s)),
              {"dim": dim, "indices": indices, "sizes": sizes})
    for name, sizes in (("embedding", [6]), ("embedding_sentences", [3, 4])):
        count = sizes[0] * (sizes[1] if len(sizes) > 1 else 1)
        indices = draw(name, count, 5)
        c.add(name, "embedding", {"table": spec([5, 7])},
              lambda t, i=indices, s=sizes: F.embedding(torch.tensor(i).reshape(s), t["table"]),
              {"indices": indices, "sizes": sizes})
    return c.cases


FILES = {
    "nn_ops_activations_norms.json": activations_and_norms,
    "nn_ops_convolutions_resizing.json": convolutions_and_resizing,
    "nn_ops_losses_indices.json": losses_and_indices,
}
