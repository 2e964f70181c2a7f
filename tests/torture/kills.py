"""SIGKILL at random moments and at every file operation: a resumed run ends as the unbroken one."""

from failing_files import count_operations
from runs import RECIPES, Broken, expect_whole_files, kill_after

KILLS = 50  # of each recipe
SHORT_KILLS = 2


def at_random_moments(torture, recipe, kills):
    """(attacks, killed): `kills` kills, spread over runs that are each killed once or more."""
    _, seconds = torture.unbroken_run(recipe)
    attacks = killed = 0
    while attacks < kills and torture.time_left() > 0:
        out = torture.new_folder("killed")
        moment = torture.random.uniform(0, seconds)
        command = torture.finetune(recipe, out)
        repeat = f"\"{recipe}\" killed after {moment:.3f} s, {out}"
        while True:
            attacks += 1
            if not kill_after(torture.start(command), moment):
                break
            killed += 1
            expect_whole_files(out)
            if attacks >= kills or torture.random.random() < 0.5 or not (out / "config.toml").exists():
                break
            command = ["finetune", "--resume", out]
            moment = torture.random.uniform(0, seconds)
        try:
            torture.expect_unbroken(recipe, out)
        except Broken as broken:
            raise Broken(f"{repeat}: {broken}") from None
    return attacks, killed


def at_every_file_operation(torture, recipe, every):
    """(attacks, killed): before and after every `every`-th file operation of a run."""
    count = count_operations(torture, torture.finetune(recipe, torture.new_folder("counted")))
    attacks = killed = 0
    for kind in ("kill", "killed"):
        for operation in range(1, count + 1, every):
            if torture.time_left() <= 0:
                return attacks, killed
            out = torture.new_folder("killed")
            environment = {"LD_PRELOAD": torture.preload, "HANOK_FAULT_BELOW": str(torture.folder),
                           "HANOK_FAULT": f"{kind}:{operation}"}
            code, text = torture.run(torture.finetune(recipe, out), environment=environment)
            attacks += 1
            killed += code == -9
            if code not in (0, -9):
                raise Broken(f"{environment['HANOK_FAULT']}: ends with {code}: {text}")
            try:
                torture.expect_unbroken(recipe, out)
            except Broken as broken:
                raise Broken(f"HANOK_FAULT={kind}:{operation} of \"{recipe}\": {broken}") from None
    return attacks, killed


def attacks(torture, short):
    """Yields (promise, fault, function that attacks)."""
    promise = "a killed run, resumed, ends bit by bit as the unbroken one"
    for recipe in RECIPES:
        yield (promise, f"SIGKILL at random moments: {recipe}",
               lambda recipe=recipe: at_random_moments(torture, recipe, SHORT_KILLS if short else KILLS))
    yield (promise, "SIGKILL before and after every file operation" + (" (every 29th)" if short else ""),
           lambda: at_every_file_operation(torture, "folds", 29 if short else 1))
