"""One peer on one workload, in its own process, controlled through standard input.

    worker.py SYSTEM MODEL WORK BATCH THREADS

SYSTEM is torch, onnxruntime or openvino, perhaps with -bf16 or -int8, or torch-f64; WORK is inference, train/full,
train/layer4, train/head or loader (then BATCH counts its workers). HANOK_BENCH_DEVICE=cuda runs torch on the GPU:
channels_last, bf16 autocast (HANOK_BENCH_PRECISION=f32: TF32), torch.compile with CUDA graphs.
After a warm-up it prints "ready SETTINGS". For each line "SECONDS" that it reads, it repeats the work for about that
time and prints images per second; for "logits" it prints those of the images of same_inputs.py as one list.
"""

import json

import os
import sys
import time

SYSTEM, MODEL, WORK, BATCH, THREADS = sys.argv[1:4] + [int(a) for a in sys.argv[4:6]]
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(THREADS)

DEVICE = os.environ.get("HANOK_BENCH_DEVICE", "cpu")
PRECISION = os.environ.get("HANOK_BENCH_PRECISION", "bf16")  # on a GPU
ENGINE, _, OWN_PRECISION = SYSTEM.partition("-")  # on a CPU: "", "bf16", "int8", "f64"
IN_BF16 = OWN_PRECISION == "bf16"
SIDE, CLASSES = 224, 18
HEADS = {"resnet18": "fc", "resnet50": "fc", "mobilenet_v2": "classifier"}


def torch_model(classes):
    import torch
    import torchvision

    torch.manual_seed(1)
    return getattr(torchvision.models, MODEL)(weights=None, num_classes=classes)


def same_inputs():
    """The weights and images that all engines get (same_inputs.py)."""
    import torch

    cache = os.environ["HANOK_PEERS_CACHE"]
    weights = torch.load(os.path.join(cache, f"{MODEL}.pth"))
    return weights, torch.load(os.path.join(cache, f"{MODEL}-images.pth"))["images"]


def same_model():
    """The network for inference."""
    import torchvision

    weights, _ = same_inputs()
    (head,) = [name for name in weights if name in ("fc.bias", "classifier.1.bias")]
    model = getattr(torchvision.models, MODEL)(weights=None, num_classes=len(weights[head]))
    model.load_state_dict(weights)
    return model.eval()


def prepare_torch():
    """Sets torch up for the device; returns the context in which to compute, a compiler, and a description of the
    settings."""
    import contextlib

    import torch

    torch.set_num_threads(THREADS)
    torch.set_flush_denormal(True)
    if DEVICE == "cpu":
        autocast = (lambda: torch.autocast("cpu", torch.bfloat16)) if IN_BF16 else contextlib.nullcontext
        precision = "bf16 autocast" if IN_BF16 else "f32"
        return autocast, lambda function: function, f"torch {torch.__version__}, channels_last, {precision}"
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    autocast = contextlib.nullcontext if PRECISION == "f32" else lambda: torch.autocast("cuda", torch.bfloat16)
    precision = "f32 with TF32" if PRECISION == "f32" else "bf16 autocast"
    return (
        autocast,
        lambda function: torch.compile(function, mode="max-autotune"),  # with CUDA graphs
        f"torch {torch.__version__}, {torch.cuda.get_device_name()}, channels_last, {precision}, "
        "torch.compile max-autotune",
    )


def synchronize():
    if DEVICE != "cpu":
        import torch

        torch.cuda.synchronize()


def torch_inference():
    import torch

    precision, compiled, settings = prepare_torch()
    kind = torch.float64 if OWN_PRECISION == "f64" else torch.float32
    model = same_model().to(DEVICE, kind, memory_format=torch.channels_last)
    run = compiled(model)

    def prepared(images):
        return images.to(DEVICE, kind, memory_format=torch.channels_last)

    def forward(x):
        with torch.inference_mode(), precision():
            return run(x)

    x = prepared(same_inputs()[1][:BATCH])
    logits = lambda images: forward(prepared(images)).double().cpu().numpy()
    return lambda: forward(x), settings + ", inference_mode, denormals flushed", logits


def torch_training():
    import torch

    precision, compiled, settings = prepare_torch()
    model = torch_model(CLASSES).to(DEVICE, memory_format=torch.channels_last)
    trained = {"train/full": [""], "train/layer4": ["layer4", HEADS[MODEL]], "train/head": [HEADS[MODEL]]}[WORK]
    model.train()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(any(name.startswith(prefix) for prefix in trained))
    if WORK != "train/full":  # frozen layers run as in evaluation, as in hanok
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.BatchNorm2d) and not any(name.startswith(prefix) for prefix in trained):
                module.eval()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, fused=True)
    x = torch.randn(BATCH, 3, SIDE, SIDE).to(DEVICE, memory_format=torch.channels_last)
    y = (torch.arange(BATCH) % CLASSES).to(DEVICE)
    run = compiled(model)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with precision():
            loss = torch.nn.functional.cross_entropy(run(x), y)
        loss.backward()
        optimizer.step()
        if DEVICE == "cpu":
            loss.item()

    return step, settings + ", fused AdamW, denormals flushed"


def torch_loader():
    """torchvision's data path over bench_loader's photographs: decode, resize, shift, flip, normalise; batches of
    32."""
    import glob

    import torch
    from PIL import Image
    from torchvision import transforms

    files = sorted(glob.glob(os.path.join(os.environ["HANOK_BENCH_PHOTOS"], "train/images/*/*.jpg")))
    prepare = transforms.Compose(
        [
            transforms.Resize((SIDE, SIDE)),
            transforms.RandomCrop(SIDE, padding=SIDE // 16),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )

    class Photographs(torch.utils.data.Dataset):
        def __len__(self):
            return 10**6  # an endless epoch, so that starting workers does not count

        def __getitem__(self, i):
            with Image.open(files[i % len(files)]) as image:
                return prepare(image.convert("RGB"))

    torch.set_num_threads(1)
    batches = iter(torch.utils.data.DataLoader(Photographs(), batch_size=32, num_workers=BATCH, prefetch_factor=4))
    for _ in range(6):
        next(batches)
    return (lambda: next(batches)), f"torchvision loader, {BATCH} worker processes, prefetch 4"


def exported(path):
    """Writes the model as ONNX once; the file is shared by the peers that read it."""
    import torch

    if not os.path.exists(path):
        x = torch.randn(BATCH, 3, SIDE, SIDE)
        torch.onnx.export(same_model(), (x,), path, dynamo=True, verbose=False)
    return path


def calibration_batches():
    """The images in batches of the exported network's size."""
    images = same_inputs()[1].numpy()
    return [images[at : at + BATCH] for at in range(0, len(images) - BATCH + 1, BATCH)]


def quantised(path):
    """ONNX Runtime's static quantisation: weights by channel, calibrated on the images."""
    from onnxruntime import quantization
    from onnxruntime.quantization import shape_inference

    out = path.replace(".onnx", "-int8.onnx")
    if os.path.exists(out):
        return out

    class Images(quantization.CalibrationDataReader):
        def __init__(self):
            self.batches = iter(calibration_batches())

        def get_next(self):
            batch = next(self.batches, None)
            return None if batch is None else {input_name(path): batch}

    prepared = path.replace(".onnx", "-prepared.onnx")
    shape_inference.quant_pre_process(path, prepared)
    quantization.quantize_static(prepared, out, Images(), quant_format=quantization.QuantFormat.QDQ, per_channel=True)
    return out


def input_name(path):
    import onnx

    return onnx.load(path, load_external_data=False).graph.input[0].name


def onnxruntime_inference():
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    path = exported(model_file())
    if OWN_PRECISION == "int8":
        path = quantised(path)
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    x = same_inputs()[1][:BATCH].numpy()
    settings = f"onnxruntime {onnxruntime.__version__}, all optimisations"
    if OWN_PRECISION == "int8":
        settings += ", int8: static QDQ by channel"
    return (lambda: session.run(None, {name: x})), settings, lambda images: session.run(None, {name: images.numpy()})[0]


def openvino_model(core):
    """The network, and how it was quantised."""
    import openvino

    model = core.read_model(exported(model_file()))
    if OWN_PRECISION != "int8":
        return model, "bf16" if IN_BF16 else "f32"
    try:
        import nncf
    except ImportError:
        return core.read_model(quantised(exported(model_file()))), "int8 by ONNX Runtime's quantisation"
    openvino.save_model(model, model_file().replace(".onnx", ".xml"))  # NNCF reads batches as they are
    batches = calibration_batches()
    return nncf.quantize(model, nncf.Dataset(batches), subset_size=len(batches)), f"int8 by nncf {nncf.__version__}"


def openvino_inference():
    import openvino

    core = openvino.Core()
    model, how = openvino_model(core)
    x = same_inputs()[1][:BATCH].numpy()
    best = None
    for hint in ("LATENCY", "THROUGHPUT"):  # the better of the two is kept
        settings = {"PERFORMANCE_HINT": hint, "INFERENCE_NUM_THREADS": THREADS}
        if OWN_PRECISION != "int8":  # else what it does by itself with what is not in int8
            settings["INFERENCE_PRECISION_HINT"] = "bf16" if IN_BF16 else "f32"
        request = core.compile_model(model, "CPU", settings).create_infer_request()
        step = lambda request=request: request.infer({0: x}, share_inputs=True)
        step()
        seconds = measure(step, 1.0)[1]
        if best is None or seconds < best[0]:
            best = (seconds, step, hint, request)
    logits = lambda images: best[3].infer({0: images.numpy()})[0]
    return best[1], f"openvino {openvino.__version__}, hint {best[2]}, {how}", logits


def model_file():
    return os.path.join(os.environ["HANOK_PEERS_CACHE"], f"{MODEL}-{BATCH}.onnx")


def all_logits(logits):
    """Of the first images, whose number run.py knows, in the batches of the measured work."""
    import numpy

    images = same_inputs()[1][:16]
    parts = [images[at : at + BATCH] for at in range(0, len(images), BATCH)]
    return numpy.concatenate([logits(part) for part in parts]).astype(float).ravel().tolist()


def measure(step, seconds):
    """Images per second and seconds a step over about `seconds`."""
    count, start = 0, time.perf_counter()
    while count == 0 or time.perf_counter() - start < seconds:
        step()
        count += 1
        if DEVICE != "cpu" and count % 10 == 0:
            synchronize()  # the host runs far ahead of a GPU
    synchronize()
    elapsed = time.perf_counter() - start
    return count * (32 if WORK == "loader" else BATCH) / elapsed, elapsed / count


def main():
    make = {
        "torch": {"inference": torch_inference, "loader": torch_loader}.get(WORK, torch_training),
        "onnxruntime": onnxruntime_inference,
        "openvino": openvino_inference,
    }[ENGINE]
    step, settings, *logits = make()
    for _ in range(2 if DEVICE == "cpu" else 10):
        step()
    synchronize()
    print("ready", settings, flush=True)
    for line in sys.stdin:
        answer = json.dumps(all_logits(*logits)) if line == "logits\n" else measure(step, float(line))[0]
        print(answer, flush=True)


if __name__ == "__main__":
    main()
