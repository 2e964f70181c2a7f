"""A run folder that another run takes, that vanishes, or whose files are damaged."""

import shutil
import time

from runs import Broken, checksum_fits, expect_same_end, expect_whole_files


def two_runs(torture, count):
    """(attacks, refused): of two runs that start in one folder, one ends as always and the other is kept out."""
    for number in range(count):
        if torture.time_left() <= 0:
            return number, number
        out = torture.new_folder("shared")
        first = torture.start(torture.finetune("folds", out))
        time.sleep(torture.random.uniform(0, 0.2))
        second = torture.start(torture.finetune("folds", out))
        texts = [process.communicate(timeout=60)[0] for process in (first, second)]
        codes = [first.returncode, second.returncode]
        if sorted(codes)[0] != 0 or sorted(codes)[1] not in (1, 2):
            raise Broken(f"two runs in {out} end with {codes}: {texts}")
        if str(out) not in texts[codes.index(max(codes))]:
            raise Broken(f"the run that is kept out does not name {out}: {texts}")
        expect_same_end(torture.unbroken_run("folds")[0], out)
        shutil.rmtree(out)
    return count, count


def vanishing(torture, count):
    """(attacks, noticed): the run folder is moved away in the middle: an error names it, nothing is half-written."""
    noticed = 0
    for number in range(count):
        if torture.time_left() <= 0:
            return number, noticed
        out, process = torture.start_for_a_while("folds", "vanishing")
        gone = out.with_suffix(".gone")
        if out.exists():
            out.rename(gone)  # at once, where removing takes a while
        text, _ = process.communicate(timeout=60)
        if process.returncode not in (0, 1):
            raise Broken(f"its folder gone, finetune ends with {process.returncode}: {text}")
        if process.returncode == 1 and str(out) not in text:
            raise Broken(f"the error does not name {out}: {text}")
        if process.returncode == 0 and out.exists() and not (out / "config.toml").exists():
            raise Broken(f"finetune ends well though {out} lacks its beginning: {sorted(out.rglob('*'))}")
        noticed += process.returncode == 1
        shutil.rmtree(out, ignore_errors=True)
        shutil.rmtree(gone, ignore_errors=True)
    return count, noticed


def damaged_states(torture, count):
    """(attacks, named): a byte of the newest state is changed, or its end is cut off: the one before is used."""
    named = 0
    _, seconds = torture.unbroken_run("gradual unfreezing")
    while named < count and torture.time_left() > 0:
        out = torture.new_folder("damaged")
        process = torture.start(torture.finetune("gradual unfreezing", out))
        time.sleep(torture.random.uniform(0.3 * seconds, seconds))
        process.kill()
        process.communicate()
        newest, before = out / "fold_0/last/state.safetensors", out / "fold_0/last/previous.safetensors"
        if not before.exists() or not newest.exists():
            shutil.rmtree(out, ignore_errors=True)
            continue
        content = bytearray(newest.read_bytes())
        if torture.random.random() < 0.5:
            content[torture.random.randrange(len(content))] ^= 1 << torture.random.randrange(8)
        else:
            del content[torture.random.randrange(len(content)):]
        harmless = checksum_fits(bytes(content)) and len(content) == newest.stat().st_size
        newest.write_bytes(bytes(content))
        text = torture.finish("gradual unfreezing", out)
        if not harmless and f"warning: {newest}" not in text:
            raise Broken(f"the damaged {newest} is not named: {text}")
        named += 1
        expect_whole_files(out)
        shutil.rmtree(out)
    return named, named


def attacks(torture, short):
    """Yields (promise, fault, function that attacks)."""
    yield ("one folder, one run", "two runs at once", lambda: two_runs(torture, 2 if short else 20))
    yield ("a disk that fails is named, and nothing is lost", "a run folder that vanishes",
           lambda: vanishing(torture, 3 if short else 30))
    yield ("a damaged state is named, and the one before is used", "a changed bit or a lost end of the newest state",
           lambda: damaged_states(torture, 2 if short else 20))
