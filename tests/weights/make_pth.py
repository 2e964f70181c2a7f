"""Writes the small .pth files beside this script: `python3 make_pth.py NAME...` (no name: all).

Element k (row-major) of tensor number t has the value ((7k + 5t) mod 23 - 11) / 4, or without
"- 11" and "/ 4" for integers: exact in every type, and the tests compute it again.

Versions that wrote the committed files:
  zip.pth, checkpoint.pth, legacy.pth,   PyTorch 2.15.0, Python 3.11.7
  tar.pth, safetensors.safetensors       (and safetensors 0.8.0)
  objects*.pth, odd_tensors*.pth,        PyTorch 2.15.0, Python 3.11.7, NumPy 2.4.6
  module*.pth, script.pt, twins.pth,
  averaged.pth
  zip_1_6.pth                            PyTorch 1.6.0, Python 3.8.18
  legacy_1_0.pth                         PyTorch 1.0.0, Python 3.6.15
  legacy_python2.pth                     PyTorch 1.4.0, Python 2.7.18
  evil_system.pth, evil_eval.pth         PyTorch 2.15.0, Python 3.11.7; opening them with torch.load
                                         and weights_only=False would run their code
"""
from __future__ import print_function

import argparse
import collections
import datetime
import decimal
import enum
import functools
import io
import os
import pathlib
import pickle
import struct
import sys
import tarfile
import zipfile

import numpy
import torch

HERE = os.path.dirname(os.path.abspath(__file__))


def numbers(shape, t, dtype):
    count = 1
    for size in shape:
        count *= size
    integers = [(7 * k + 5 * t) % 23 for k in range(count)]
    if dtype in (torch.int64, torch.uint8):
        return torch.tensor(integers, dtype=dtype).reshape(shape)
    return torch.tensor([(i - 11) / 4.0 for i in integers], dtype=torch.float64).reshape(shape).to(dtype)


def tensors(old=False):
    """The tensors supported by every layout."""
    result = collections.OrderedDict()
    result["contiguous"] = numbers((3, 4), 0, torch.float32)
    result["conv.weight"] = numbers((4, 3, 2, 2), 1, torch.float32)
    # The same values, stored as O,H,W,I: channels_last.
    result["conv.channels_last"] = (
        numbers((4, 3, 2, 2), 2, torch.float32).permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2))
    result["transposed"] = numbers((5, 3), 3, torch.float32).t().contiguous().t()
    result["half"] = numbers((2, 3), 4, torch.float32).half()
    result["double"] = numbers((2, 3), 5, torch.float64)
    result["long"] = numbers((7,), 6, torch.int64)
    result["scalar"] = numbers((), 7, torch.int64)
    result["byte"] = numbers((5,), 8, torch.uint8)
    shared = numbers((4, 6), 9, torch.float32)
    result["shared.whole"] = shared
    result["shared.rows"] = shared[1:3]
    result["shared.columns"] = shared[:, 2:5]
    result["parameter"] = torch.nn.Parameter(numbers((3,), 10, torch.float32))
    result["empty"] = torch.zeros(0, 3)
    if not old:
        result["bfloat16"] = numbers((3, 3), 11, torch.bfloat16)
        result["expanded"] = numbers((3, 1), 12, torch.float32).expand(3, 4)
    return result


def checkpoint():
    """A state_dict as DataParallel names it, inside what a training script saves around it."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(collections.OrderedDict(
        conv=torch.nn.Conv2d(2, 3, 3), bn=torch.nn.BatchNorm2d(3)))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 2, 4, 4)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [30, 60])
    state = collections.OrderedDict()
    for t, (name, tensor) in enumerate(model.state_dict().items()):
        state["module." + name] = numbers(tuple(tensor.shape), t, tensor.dtype)
    return {
        "epoch": 7, "arch": "tiny", "best_acc1": torch.tensor(71.5), "finished": False, "note": None,
        "state_dict": state, "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict(),
        "rng": torch.get_rng_state(), "mask": torch.tensor([True, False]),
        "bytes": b"\x00\xff", "device": torch.device("cpu"), "dtype": torch.float16,
        "sizes": torch.Size([2, 3]),
    }


class Settings(object):
    """A class of the training script, with attributes that hold tensors and itself."""

    def __init__(self):
        self.lr, self.weights, self.me = 0.1, torch.ones(2), self


class Registry(collections.OrderedDict):
    """A class derived from a dictionary."""


class Colour(enum.Enum):
    RED = 1


class Marked(torch.Tensor):
    """A class derived from Tensor, which may mean other values than it stores."""


def objects():
    """A checkpoint with everything that training scripts store beside a state_dict."""
    state = collections.OrderedDict(
        (name, tensor) for name, tensor in tensors().items()
        if name in ("contiguous", "conv.weight", "double", "long", "byte"))
    registry = Registry(a=Settings())
    counted = collections.Counter("hello")
    return {
        "model": state, "args": argparse.Namespace(lr=0.1, device=torch.device("cpu")),
        "f1": numpy.float64(0.91), "matrix": numpy.arange(6.0).reshape(2, 3), "path": pathlib.PurePosixPath("/x"),
        "started": datetime.datetime(2024, 1, 1), "classes": {"cat", "dog"}, "frozen": frozenset({1}),
        "history": collections.defaultdict(list, loss=[numpy.float64(1), numpy.float64(2)]),
        "counts": counted, "registry": registry, "settings": Settings(), "colour": Colour.RED,
        "function": functools.partial(int, base=2), "queue": collections.deque([1, 2]), "complex": 1 + 2j,
        "range": range(3), "decimal": decimal.Decimal("0.1"), "array": bytearray(b"x"),
    }


def odd_tensors():
    """A state_dict with tensors that hanok lacks, and some that are only stored unusually."""
    tagged = numbers((3,), 1, torch.float32)
    tagged.tag = "x"
    parameter = torch.nn.Parameter(numbers((3,), 2, torch.float32))
    parameter.tag = "x"
    negated = torch.view_as_complex(numbers((2, 2), 3, torch.float32)).conj().imag
    return collections.OrderedDict([
        ("plain", numbers((3,), 0, torch.float32)), ("tagged", tagged), ("parameter.tagged", parameter),
        ("negated", negated), ("bn.num_batches_tracked", torch.tensor(17, dtype=torch.int32)),
        ("short.num_batches_tracked", torch.tensor([-3], dtype=torch.int16)),
        ("float.num_batches_tracked", torch.tensor(18.0)),
        ("no.sparse", torch.eye(3).to_sparse()), ("no.csr", torch.eye(3).to_sparse_csr()),
        ("no.quantized", torch.quantize_per_tensor(torch.randn(3), 0.1, 0, torch.qint8)),
        ("no.complex", torch.zeros(2, dtype=torch.complex64)),
        ("no.conjugate", torch.ones(2, dtype=torch.complex64).conj()),
        ("no.uint16", torch.zeros(2, dtype=torch.uint16)), ("no.float8", torch.zeros(2, dtype=torch.float8_e5m2)),
        ("no.bool", torch.tensor([True])), ("no.int", torch.zeros(2, dtype=torch.int32)),
        ("no.meta", torch.zeros(2, device="meta")), ("no.marked", torch.zeros(2).as_subclass(Marked)),
        ("no.array", numpy.arange(3.0)),
    ])


def write_tar(path, state, beside=None):
    """PyTorch's first layout: no version on PyPI still writes it, all versions read it."""
    storages, tensor_records, keys = io.BytesIO(), io.BytesIO(), {}
    named = [(name, tensor) for name, tensor in state.items()]
    pickle.dump(len(named), storages, protocol=2)
    pickle.dump(len(named), tensor_records, protocol=2)
    for i, (name, tensor) in enumerate(named):
        flat = tensor.reshape(-1)
        storage_class = getattr(torch, tensor.type().split(".")[-1].replace("Tensor", "Storage"))
        pickle.dump((1000 + i, "cpu", storage_class), storages, protocol=2)
        storages.write(struct.pack("<q", flat.numel()))
        storages.write(flat.numpy().tobytes())
        pickle.dump((2000 + i, 1000 + i, torch.FloatTensor), tensor_records, protocol=2)
        tensor = flat.reshape(tensor.shape)
        tensor_records.write(struct.pack("<i", tensor.dim()) + b"\0\0\0\0")
        for values in (tensor.shape, tensor.stride()):
            tensor_records.write(struct.pack("<%dq" % tensor.dim(), *values))
        tensor_records.write(struct.pack("<q", 0))
        keys[id(tensor)] = str(2000 + i)
        named[i] = (name, tensor)
    # A view: the last two elements of the first storage under another key.
    pickle.dump([(3000, 1000, named[0][1].numel() - 2, 2)], storages, protocol=2)

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return keys.get(id(value)) if isinstance(value, torch.Tensor) else None

    objects = io.BytesIO()
    content = collections.OrderedDict(named)
    Pickler(objects, protocol=2).dump(content if beside is None else dict(beside, model=content))
    with tarfile.open(path, "w:", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in (("storages", storages), ("tensors", tensor_records), ("pickle", objects)):
            info = tarfile.TarInfo(name)
            info.size = len(data.getvalue())
            tar.addfile(info, io.BytesIO(data.getvalue()))
    loaded = torch.load(path, weights_only=False)
    loaded = loaded if beside is None else loaded["model"]
    for name, tensor in state.items():
        assert torch.equal(loaded[name], tensor), name


def twins():
    """Two networks in one checkpoint, under keys of their own, and an optimizer."""
    student = {"backbone.weight": numbers((2, 3), 0, torch.float32), "head.weight": numbers((4, 2), 1, torch.float32)}
    teacher = {"backbone.weight": numbers((2, 3), 2, torch.float32)}
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([parameter], 0.1, momentum=0.9)
    parameter.sum().backward()
    optimizer.step()
    return {"best": torch.tensor(0.5), "student": student, "teacher": teacher, "optimizer": optimizer.state_dict()}


def averaged():
    """A state_dict and its moving average, as timm's training script stores them."""
    return {"state_dict": {"weight": numbers((2, 3), 0, torch.float32)},
            "state_dict_ema": {"weight": numbers((2, 3), 1, torch.float32)}}


def without_tensors(content):
    """The tar layout knows only the tensors of its state_dict."""
    return {key: value for key, value in content.items() if key not in ("settings", "registry")}


def write_evil(path, function, *arguments):
    class Evil(object):
        def __reduce__(self):
            return function, arguments

    torch.save(collections.OrderedDict(weight=torch.zeros(2), extra=Evil()), path)


def write_safetensors(path):
    from safetensors.torch import save_file
    plain = {name: tensor.detach().clone().contiguous() for name, tensor in tensors().items()}
    save_file(plain, path, metadata={"format": "pt", "classes": "mask,none"})


MAKERS = {
    "zip.pth": lambda path: torch.save(tensors(), path),
    "legacy.pth": lambda path: torch.save(tensors(), path, _use_new_zipfile_serialization=False),
    "checkpoint.pth": lambda path: torch.save(checkpoint(), path),
    "tar.pth": lambda path: write_tar(path, collections.OrderedDict(
        (name, tensor) for name, tensor in tensors().items()
        if name in ("contiguous", "conv.weight", "double", "long", "byte"))),
    "safetensors.safetensors": write_safetensors,
    "objects.pth": lambda path: torch.save(objects(), path),
    "objects_legacy.pth": lambda path: torch.save(objects(), path, _use_new_zipfile_serialization=False),
    "objects_tar.pth": lambda path: write_tar(path, objects()["model"], without_tensors(objects())),
    "odd_tensors.pth": lambda path: torch.save(odd_tensors(), path),
    "odd_tensors_legacy.pth": lambda path: torch.save(odd_tensors(), path, _use_new_zipfile_serialization=False),
    "twins.pth": lambda path: torch.save(twins(), path),
    "averaged.pth": lambda path: torch.save(averaged(), path),
    "module.pth": lambda path: torch.save({"epoch": 1, "net": torch.nn.Linear(2, 3)}, path),
    "module_legacy.pth": lambda path: torch.save(torch.nn.Linear(2, 3), path, _use_new_zipfile_serialization=False),
    "script.pt": lambda path: torch.jit.script(torch.nn.Linear(2, 3)).save(path),
    "evil_system.pth": lambda path: write_evil(path, os.system, "echo this must never run"),
    "evil_eval.pth": lambda path: write_evil(path, eval, "print('this must never run')"),
    # For old versions of PyTorch; made only if named.
    "zip_1_6.pth": lambda path: torch.save(tensors(old=True), path),
    "legacy_1_0.pth": lambda path: torch.save(tensors(old=True), path),
    "legacy_python2.pth": lambda path: torch.save(tensors(old=True), path),
}


def main():
    names = sys.argv[1:] or [name for name in MAKERS if "_1_" not in name and "python2" not in name]
    for name in names:
        path = os.path.join(HERE, "files", name)
        MAKERS[name](path)
        print(name, os.path.getsize(path), "bytes, PyTorch", torch.__version__,
              "Python", sys.version.split()[0])


if __name__ == "__main__":
    main()
