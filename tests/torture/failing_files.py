"""Every file operation of every program that writes fails once, for every reason that a disk gives."""

import re
import shutil

from runs import Broken, expect_whole_files

CAUSES = {"enospc": "No space left on device", "eio": "Input/output error", "enospc+": "No space left on device",
          "erofs+": "Read-only file system"}


def count_operations(torture, command):
    """The file operations of an unbroken run."""
    file = torture.folder / "operations"
    code, text = torture.run(command, environment={
        "LD_PRELOAD": torture.preload, "HANOK_FAULT_BELOW": str(torture.folder), "HANOK_FAULT_COUNT": str(file)})
    if code != 0:
        raise Broken(f"{' '.join(map(str, command))} ends with {code}: {text}")
    return int(file.read_text())


def programs(torture):
    """Name -> a function from a fresh folder to the command that writes into it."""
    run, _ = torture.unbroken_run("folds")
    checkpoint = run / "fold_0/best.safetensors"
    photographs = sorted(torture.data.rglob("*.jpg"))[:3]

    def in_copy_of_run(command):
        def make(folder):
            shutil.copytree(run, folder / "run")
            return command(folder / "run")
        return make

    return {
        "finetune": lambda folder: torture.finetune("folds", folder / "run"),
        "finetune --resume": in_copy_of_run(lambda copy: ["finetune", "--resume", copy]),
        "predict": lambda folder: ["predict", "--checkpoint", checkpoint, "--out", folder / "p.csv", "--images",
                                   *photographs],
        "evaluate": lambda folder: ["evaluate", "--checkpoint", checkpoint, "--data", torture.data, "--out",
                                    folder / "e.csv"],
        "explain": lambda folder: ["explain", "--checkpoint", checkpoint, "--out", folder / "e.png", photographs[0]],
        "convert": lambda folder: ["convert", checkpoint, folder / "c.safetensors"],
        "inspect data --report": lambda folder: ["inspect", "data", torture.data, "--report", folder / "d.html"],
        "report": in_copy_of_run(lambda copy: ["report", copy]),
        "labels": in_copy_of_run(lambda copy: ["labels", copy, "--report", copy.parent / "l.html", "--out",
                                               copy.parent / "l.csv"]),
    }


def fail_every_operation(torture, name, make_command, kinds, every):
    """(attacks, failures): a failure is refused by name; what does not fail ends as always."""
    count_folder = torture.new_folder("counted")
    count_folder.mkdir()
    count = count_operations(torture, make_command(count_folder))
    attacks = failures = 0
    for kind in kinds:
        for operation in range(1, count + 1, every):
            if torture.time_left() <= 0:
                return attacks, failures
            folder = torture.new_folder("failing")
            folder.mkdir()
            fault = f"{kind}:{operation}"
            code, text = torture.run(make_command(folder), environment={
                "LD_PRELOAD": torture.preload, "HANOK_FAULT_BELOW": str(torture.folder), "HANOK_FAULT": fault})
            attacks += 1
            where = f"HANOK_FAULT={fault} of {name}, {folder}"
            if code not in (0, 1):
                raise Broken(f"{where}: exit code {code}: {text[-2000:]}")
            if code == 1:
                failures += 1
                if CAUSES[kind] not in text or not re.search(re.escape(str(torture.folder)), text):
                    raise Broken(f"{where}: names not file and cause: {text[-2000:]}")
            expect_whole_files(folder)
            leftovers = [path for path in folder.rglob("*.tmp") if kind == "enospc"]
            if leftovers:
                raise Broken(f"{where}: leaves {leftovers}")
            if name == "finetune":
                torture.finish("folds", folder / "run")
            shutil.rmtree(folder)
    return attacks, failures


def shortened_writes(torture):
    """(attacks, 0): every write takes only half of its bytes; the run ends as always."""
    count = count_operations(torture, torture.finetune("folds", torture.new_folder("counted")))
    attacks = 0
    for operation in range(1, count + 1, 7):
        if torture.time_left() <= 0:
            break
        out = torture.new_folder("short")
        code, text = torture.run(torture.finetune("folds", out), environment={
            "LD_PRELOAD": torture.preload, "HANOK_FAULT_BELOW": str(torture.folder),
            "HANOK_FAULT": f"short:{operation}"})
        attacks += 1
        if code != 0:
            raise Broken(f"HANOK_FAULT=short:{operation}: exit code {code}: {text}")
        torture.finish("folds", out)
        shutil.rmtree(out)
    return attacks, 0


def attacks(torture, short):
    """Yields (promise, fault, function that attacks)."""
    promise = "a disk that fails is named, and nothing is lost"
    kinds = ["enospc"] if short else list(CAUSES)
    for name, make_command in programs(torture).items():
        every = 23 if short else 1
        which = "every 23rd" if short else "every"
        yield (promise, f"{which} file operation of {name} fails ({', '.join(kinds)})",
               lambda name=name, make=make_command: fail_every_operation(torture, name, make, kinds, every))
    if not short:
        yield (promise, "writes that take half of their bytes (every 7th operation)",
               lambda: shortened_writes(torture))
