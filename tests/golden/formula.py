"""Tensors from a formula, identical to those of tests/golden/golden.h, and fingerprints.

A tensor is named. Element i (in logical row-major order) is an integer times a power of two,

    (center - spread + hash(name, i) mod (2 spread + 1)) * 2^-bits,

exact in single precision, so both sides start from the same numbers without a file of them.
"""

import json
import math

import numpy as np

FORMAT = 1
SAMPLES = 32


def name_hash(name):
    """FNV-1a, 32 bits."""
    value = 0x811C9DC5
    for byte in name.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def hashes(name, count):
    """uint32 [count]: the name's hash plus i times a constant, through murmur3's finaliser."""
    with np.errstate(over="ignore"):
        h = np.uint32(name_hash(name)) + np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9)
        h ^= h >> np.uint32(16)
        h *= np.uint32(0x85EBCA6B)
        h ^= h >> np.uint32(13)
        h *= np.uint32(0xC2B2AE35)
        h ^= h >> np.uint32(16)
    return h


def spread_of(stddev, bits):
    """The spread with (nearly) this standard deviation: sqrt(3) times it, in units of 2^-bits."""
    return int(math.floor(math.sqrt(3.0) * stddev * 2.0**bits + 0.5))


def tensor(name, shape, spread, bits, center=0):
    """float64 array of the formula."""
    count = int(np.prod(shape, dtype=np.int64))
    integers = hashes(name, count).astype(np.int64) % (2 * spread + 1) + (center - spread)
    return (integers.astype(np.float64) * 2.0**-bits).reshape(shape)


def integers(name, count, limit):
    """int64 [count] in 0..limit-1."""
    return hashes(name, count).astype(np.int64) % limit


def parameter(name, full_name, shape):
    """The rule for a model's parameter or buffer, by its role: see parameter() in golden.h.

    `name` is the parameter's name in the state_dict, `full_name` with the case's prefix.
    """
    bits = 14
    one = 2**bits
    if name.endswith("running_var"):
        return tensor(full_name, shape, spread_of(0.1, bits), bits, one)
    if name.endswith("running_mean") or name.endswith("bias"):
        return tensor(full_name, shape, spread_of(0.1, bits), bits)
    if len(shape) == 1:  # a batch norm's weight
        return tensor(full_name, shape, spread_of(0.1, bits), bits, one)
    fan_in = int(np.prod(shape[1:], dtype=np.int64))
    return tensor(full_name, shape, spread_of(math.sqrt(2.0 / fan_in), bits), bits)


def fingerprint(name, values):
    """What a golden stores of a tensor: shape, L2 norm, dot product with fixed signs, 32 samples."""
    values = np.asarray(values, dtype=np.float64)
    flat = values.reshape(-1)
    count = flat.size
    signs = 1.0 - 2.0 * (hashes(name + "#sign", count) & np.uint32(1)).astype(np.float64)
    if count <= SAMPLES:
        positions = np.arange(count)
    else:
        positions = hashes(name + "#sample", SAMPLES).astype(np.int64) % count
    return {
        "shape": list(values.shape),
        "norm": number(np.sqrt(np.sum(flat * flat))),
        "dot": number(np.sum(flat * signs)),
        "samples": [number(v) for v in flat[positions]],
    }


def number(value):
    """Nine significant digits: more than single precision has."""
    return float(f"{float(value):.9g}")


def write(path, content):
    """JSON with one inner object per line, for readable diffs."""

    def dump(value, indent):
        flat = json.dumps(value, separators=(",", ":"))
        if not isinstance(value, dict) or len(flat) < 100 or "samples" in value:
            return flat
        inside = ",\n".join(
            " " * (indent + 1) + json.dumps(key) + ":" + dump(item, indent + 1)
            for key, item in value.items()
        )
        return "{\n" + inside + "\n" + " " * indent + "}"

    text = dump(content, 0) + "\n"
    if len(text) > 64 * 1024:
        raise ValueError(f"{path}: {len(text)} bytes, more than 64 KiB")
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def compare(where, old, new, tolerance, problems):
    """Appends the differences of two goldens to `problems`: numbers beyond `tolerance`, all other values exactly."""
    if isinstance(old, dict) and isinstance(new, dict):
        if "samples" in old and "samples" in new:
            compare_fingerprints(where, old, new, tolerance, problems)
            return
        for key in sorted(set(old) | set(new)):
            if key == "versions":
                continue
            if key not in old or key not in new:
                problems.append(f"{where}/{key}: only in the {'new' if key in new else 'old'} one")
            else:
                compare(f"{where}/{key}", old[key], new[key], tolerance, problems)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (a, b) in enumerate(zip(old, new)):
            compare(f"{where}/{i}", a, b, tolerance, problems)
    elif isinstance(old, float) or isinstance(new, float):
        if not abs(old - new) <= tolerance * max(1.0, abs(old)):
            problems.append(f"{where}: {old} against {new}")
    elif old != new:
        problems.append(f"{where}: {old} against {new}")


def compare_fingerprints(where, old, new, tolerance, problems):
    if old["shape"] != new["shape"] or len(old["samples"]) != len(new["samples"]):
        problems.append(f"{where}: shape {old['shape']} against {new['shape']}")
        return
    scale = max(abs(old["norm"]), 1e-30)
    differences = [abs(old["norm"] - new["norm"]), abs(old["dot"] - new["dot"])]
    differences += [abs(a - b) for a, b in zip(old["samples"], new["samples"])]
    if not max(differences) <= tolerance * scale:
        problems.append(f"{where}: differs by {max(differences) / scale:.3g} of its norm")
