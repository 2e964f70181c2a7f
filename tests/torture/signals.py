"""Signals at random moments, and a standard output or terminal that is gone."""

import os
import pty
import signal
import subprocess
import time

from runs import RECIPES, Broken

SECONDS_TO_END = 2
INTERRUPTED = 3


def interrupt(torture, recipes, count):
    """(attacks, interrupted): SIGINT or SIGTERM; saved within two seconds, exit code 3, resumed to the same end."""
    hit = 0
    for number in range(count):
        if torture.time_left() <= 0:
            return number, hit
        recipe = recipes[number % len(recipes)]
        kind = torture.random.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
        out, process = torture.start_for_a_while(recipe, "interrupted")
        where = f"{kind.name} of \"{recipe}\", {out}"
        process.send_signal(kind)
        begin = time.monotonic()
        try:
            text, _ = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Broken(f"{where}: does not end") from None
        took = time.monotonic() - begin
        if took > SECONDS_TO_END:
            raise Broken(f"{where}: took {took:.1f} s to end: {text}")
        # Before the handler is installed the signal ends the process, which has begun nothing.
        early = process.returncode == -kind and not (out / "config.toml").exists()
        if process.returncode not in (0, INTERRUPTED) and not early:
            raise Broken(f"{where}: exit code {process.returncode}: {text}")
        hit += process.returncode == INTERRUPTED
        torture.expect_unbroken(recipe, out)
    return count, hit


def interrupt_twice(torture, count):
    """(attacks, ended): a second signal ends the process at once."""
    hit = 0
    for number in range(count):
        if torture.time_left() <= 0:
            return number, hit
        out, process = torture.start_for_a_while("folds", "interrupted")
        process.send_signal(torture.random.choice([signal.SIGINT, signal.SIGTERM]))
        time.sleep(0.02)
        process.send_signal(torture.random.choice([signal.SIGINT, signal.SIGTERM]))
        begin = time.monotonic()
        process.communicate(timeout=30)
        if process.returncode < 0 and time.monotonic() - begin > 0.5:
            raise Broken(f"a second signal took {time.monotonic() - begin:.1f} s")
        hit += process.returncode < 0
        torture.expect_unbroken("folds", out)
    return count, hit


def stop_and_continue(torture, count):
    """(attacks, stopped): SIGSTOP, and SIGCONT a moment later: nothing changes."""
    for number in range(count):
        if torture.time_left() <= 0:
            return number, number
        _, seconds = torture.unbroken_run("folds")
        out = torture.new_folder("stopped")
        process = torture.start(torture.finetune("folds", out))
        for _ in range(3):
            time.sleep(torture.random.uniform(0, seconds / 3))
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.1)
            process.send_signal(signal.SIGCONT)
        text, _ = process.communicate(timeout=60)
        if process.returncode != 0:
            raise Broken(f"stopped and continued, it ends with {process.returncode}: {text}")
        torture.expect_unbroken("folds", out)
    return count, count


def lost_output(torture):
    """(attacks, refused): a closed pipe, a full device, no descriptor, a terminal that is closed."""
    def closed_pipe(command):
        process = torture.start(command, stderr=subprocess.PIPE)
        process.stdout.close()
        text = process.stderr.read()
        return process.wait(timeout=60), text

    def full_device(command):
        with open("/dev/full", "w", encoding="ascii") as full:
            process = torture.start(command, stdout=full, stderr=subprocess.PIPE)
            return process.wait(timeout=60), process.stderr.read()

    def vanished_terminal(command):
        controller, terminal = pty.openpty()
        process = torture.start(command, stdout=terminal, stderr=terminal, start_new_session=True)
        os.close(terminal)
        time.sleep(0.3)
        os.close(controller)
        return process.wait(timeout=60), "standard output"

    cases = {"a closed pipe": closed_pipe, "a full device": full_device, "a terminal that is closed": vanished_terminal}
    hit = 0
    for name, lose in cases.items():
        out = torture.new_folder("lost")
        code, text = lose(torture.finetune("folds", out))
        hit += code != 0
        if code not in (0, 1, INTERRUPTED, -signal.SIGPIPE):
            raise Broken(f"standard output is {name}: exit code {code}: {text}")
        if code == 1 and "standard output" not in text:
            raise Broken(f"standard output is {name}: the error does not say so: {text}")
        torture.expect_unbroken("folds", out)
    return len(cases), hit


def attacks(torture, short):
    """Yields (promise, fault, function that attacks)."""
    promise = "an interrupted run ends within 2 s, saved"
    recipes = ["folds", "gradual unfreezing", "feature cache on disk", "augmentation and mixup"]
    assert all(recipe in RECIPES for recipe in recipes)
    yield (promise, "SIGINT, SIGTERM, SIGHUP at random moments",
           lambda: interrupt(torture, recipes, 8 if short else 200))
    yield (promise, "a second signal", lambda: interrupt_twice(torture, 3 if short else 30))
    yield ("a run goes on as if nothing had been", "SIGSTOP and SIGCONT",
           lambda: stop_and_continue(torture, 1 if short else 10))
    yield ("a run that cannot print says so and can be resumed", "standard output that is lost",
           lambda: lost_output(torture))
