"""SIGKILL at random moments of a run with two ranks: of one, of all, or of mpirun. A run that is resumed with one rank
or two ends as the unbroken one of one process."""

import os
import shutil
import signal
import subprocess
import sys
import time

from runs import ONE_FOLD, Broken, expect_same_end, expect_whole_files

KILLS = 20
SHORT_KILLS = 3
RANKS = 2
SECONDS_TO_END = 15  # after a kill
RECIPE = [*ONE_FOLD, "--slices", "4", "--ema", "0.9", "--mixup", "0.4"]
VICTIMS = ("a rank", "all ranks and mpirun", "mpirun")


def missing(torture):
    """What there must be and is not."""
    library = torture.programs.parent / "lib/libhanok_mpi.so"
    if shutil.which("mpirun") is None:
        return "mpirun"
    return "" if library.exists() else str(library)


def environment(torture):
    # What killed processes leave lies in the attack's folder.
    names = ("OMPI_MCA_orte_tmpdir_base", "OMPI_MCA_btl_vader_backing_directory")
    return {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
            **{name: str(torture.folder) for name in names}}


def command(torture, ranks, arguments):
    program = [torture.programs.resolve() / "finetune", *arguments]
    return program if ranks == 1 else [shutil.which("mpirun"), "-n", ranks, *program]


def ranks_of(mpirun):
    """The processes that it has started."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                name, rest = file.read().rsplit(")", 1)
        except OSError:
            continue
        if int(rest.split()[1]) == mpirun.pid and name.endswith("(finetune"):
            found.append(int(entry))
    return sorted(found)


def kill(processes):
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass


def is_alive(process):
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def kill_after(torture, job, seconds, victim):
    """True if there was something to kill. At the return nothing of the job runs."""
    try:
        job.communicate(timeout=seconds)
        return False
    except subprocess.TimeoutExpired:
        pass
    ranks = ranks_of(job)
    if victim == "a rank":
        kill(torture.random.sample(ranks, min(1, len(ranks))))
    else:
        kill([job.pid, *(ranks if victim != "mpirun" else [])])
    end = time.monotonic() + SECONDS_TO_END
    while time.monotonic() < end:
        if job.poll() is not None and not any(is_alive(rank) for rank in ranks):
            job.communicate()
            return job.returncode != 0
        time.sleep(0.02)
    kill([job.pid, *ranks])
    job.communicate()
    raise Broken(f"{SECONDS_TO_END} s after {victim} was killed, processes of the job still run")


def next_arguments(torture, out):
    """Of the command that goes on, or starts anew where nothing was begun."""
    if (out / "config.toml").exists():
        return ["--resume", out]
    shutil.rmtree(out, ignore_errors=True)
    return ["--data", torture.data, *RECIPE, "--out", out]


def unbroken_runs(torture):
    """The folder of a run of one process, whose end that of two ranks has, and the seconds of two ranks."""
    seconds, folders = {}, {}
    for ranks in (1, RANKS):
        folders[ranks] = torture.new_folder(f"unbroken-{ranks}")
        begin = time.monotonic()
        code, text = torture.run(command(torture, ranks, next_arguments(torture, folders[ranks])),
                                 environment=environment(torture))
        if code != 0:
            raise Broken(f"the unbroken run of {ranks} ranks ends with {code}:\n{text}")
        seconds[ranks] = time.monotonic() - begin
    expect_same_end(folders[1], folders[RANKS])
    return folders[1], seconds[RANKS]


def at_random_moments(torture, kills):
    """(attacks, killed): `kills` kills, spread over runs that are each killed once or more."""
    unbroken, seconds = unbroken_runs(torture)
    attacks = killed = 0
    while attacks < kills and torture.time_left() > 0:
        out = torture.new_folder("killed")
        story = []
        try:
            while True:
                victim = VICTIMS[attacks % len(VICTIMS)]
                moment = torture.random.uniform(0, seconds)
                attacks += 1
                story.append(f"{victim} killed after {moment:.3f} s")
                job = torture.start(command(torture, RANKS, next_arguments(torture, out)),
                                    environment=environment(torture))
                if not kill_after(torture, job, moment, victim):
                    break
                killed += 1
                expect_whole_files(out)
                if attacks >= kills or torture.random.random() < 0.5:
                    break
            ranks = torture.random.choice((1, RANKS))
            story.append(f"resumed with {ranks}")
            code, text = torture.run(command(torture, ranks, next_arguments(torture, out)),
                                     environment=environment(torture))
            if code != 0:
                raise Broken(f"cannot be resumed, exit code {code}:\n{text}")
            expect_same_end(unbroken, out)
        except Broken as broken:
            raise Broken(f"{', '.join(story)}, {out}: {broken}") from None
        shutil.rmtree(out)
    return attacks, killed


def attacks(torture, short):
    """Yields (promise, fault, function that attacks)."""
    needed = missing(torture)
    if needed:
        print(f"ranks: SKIPPED: {needed} is missing (Debian: libopenmpi-dev, openmpi-bin)", file=sys.stderr)
        return
    yield ("a killed run, resumed, ends bit by bit as the unbroken one",
           "SIGKILL of a rank, all or mpirun at random moments, resumed with one or two",
           lambda: at_random_moments(torture, SHORT_KILLS if short else KILLS))
