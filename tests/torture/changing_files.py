"""Photographs that vanish, are cut off or come slowly while a run reads them, and a clock that jumps."""

import shutil

from runs import RECIPES, Broken

SLOW_MILLISECONDS = 20
# Without a cache of decoded images every epoch reads the files again.
READING = ["--cache-images", "no"]


def environment(torture, **more):
    return {"LD_PRELOAD": str(torture.preload_beside("libchanging_files.so")),
            "HANOK_READS_BELOW": str(torture.data), **more}


def command(torture, out):
    return ["finetune", "--data", torture.data, *RECIPES["sampler"], *READING, "--out", out]


def count_reads(torture):
    """The files that an unbroken run opens, and the run."""
    out, file = torture.new_folder("unbroken"), torture.folder / "reads"
    code, text = torture.run(command(torture, out), environment=environment(torture, HANOK_READS_COUNT=str(file)))
    if code != 0:
        raise Broken(f"the unbroken run ends with {code}: {text}")
    return int(file.read_text()), out


def every_read(torture, kinds, every):
    """(attacks, failed): one file of the data is gone, or cut off, once: it is named, and the run can be resumed."""
    count, unbroken = count_reads(torture)
    attacks = failed = 0
    for kind in kinds:
        for number in range(min(2, every), count + 1, every):  # the second is a table of labels
            if torture.time_left() <= 0:
                return attacks, failed
            out = torture.new_folder("changing")
            fault = f"{kind}:{number}"
            code, text = torture.run(command(torture, out), environment=environment(torture, HANOK_READS=fault))
            attacks += 1
            where = f"HANOK_READS={fault}, {out}"
            if code not in (0, 1):
                raise Broken(f"{where}: exit code {code}: {text}")
            if code == 1 and str(torture.data) not in text:
                raise Broken(f"{where}: the error names no file: {text}")
            if (out / "unreadable.csv").exists():  # left out, and named there: another run
                if len((out / "unreadable.csv").read_text().splitlines()) != 2:
                    raise Broken(f"{where}: unreadable.csv does not name one photograph")
                failed += 1
            else:
                failed += code == 1
                torture.finish_beside(unbroken, out, command(torture, out))
            shutil.rmtree(out, ignore_errors=True)
    return attacks, failed


def slow_disk(torture, count):
    """(attacks, 0): every file takes a while: the same end."""
    _, unbroken = count_reads(torture)
    for number in range(count):
        if torture.time_left() <= 0:
            return number, 0
        out = torture.new_folder("slow")
        code, text = torture.run(command(torture, out), environment=environment(
            torture, HANOK_READS=f"slow:{SLOW_MILLISECONDS}"))
        if code != 0:
            raise Broken(f"{SLOW_MILLISECONDS} ms a file: exit code {code}: {text}")
        torture.finish_beside(unbroken, out, command(torture, out))
        shutil.rmtree(out)
    return count, 0


def jumping_clock(torture, recipes, count):
    """(attacks, 0): the date is another one each time it is asked for: the same end."""
    for number in range(count):
        if torture.time_left() <= 0:
            return number, 0
        recipe = recipes[number % len(recipes)]
        out = torture.new_folder("clock")
        code, text = torture.run(torture.finetune(recipe, out), environment=environment(
            torture, HANOK_CLOCK_JUMPS=str(torture.random.randrange(1, 1 << 30))))
        if code != 0:
            raise Broken(f"\"{recipe}\" with a clock that jumps: exit code {code}: {text}")
        torture.expect_unbroken(recipe, out)
    return count, 0


def attacks(torture, short):
    """Yields (promise, fault, function that attacks)."""
    promise = "data that cannot be read are named, and nothing is lost"
    every = 41 if short else 1
    which = "every 41st" if short else "every"
    yield (promise, f"{which} file of the data that is opened is gone, or cut off",
           lambda: every_read(torture, ["vanish", "cut"], every))
    if not short:
        yield ("a slow disk changes nothing", f"{SLOW_MILLISECONDS} ms for every file", lambda: slow_disk(torture, 5))
    yield ("the clock of the day changes nothing", "years between two looks at it",
           lambda: jumping_clock(torture, ["folds", "ema"], 2 if short else 20))
