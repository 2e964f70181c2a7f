#!/usr/bin/env python3
"""Trains over a network: three hosts (hosts.py) with a delay and a bandwidth, and mpirun between them.

    network.py PROGRAMS

PROGRAMS is the folder of finetune. Prints what a step takes in four networks; weights must be those of one process.
Then hosts fail, and the run goes on. Exit status: 0 right, 1 wrong, 77 not tried: no root, no namespaces, no MPI."""

import csv
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import hosts

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "torture"))
from runs import Broken, expect_same_end, expect_whole_files  # noqa: E402

SKIPPED = 77
SECONDS_AT_MOST = 240  # for any run
SECONDS_OF_FAULT = 20  # from a fault to the end of every process
HOSTS = 3
BATCH = 28
BASE = ["--weights", "none", "--batch-size", BATCH, "--slices", "4", "--threads", "1", "--workers", "1",
        "--folds", "2", "--fold", "0", "--patience", "0"]
RECIPES = {
    "lenet, 32 px": [*BASE, "--model", "lenet", "--image-size", "32", "--epochs", "10"],
    "resnet18, 64 px": [*BASE, "--model", "resnet18", "--image-size", "64", "--epochs", "2"],
}
LONG = [*BASE, "--model", "lenet", "--image-size", "32", "--epochs", "150"]
NETWORKS = {"no limit": {}, "1 ms each way": {"delay": 0.001}, "1 Gbit/s": {"megabits": 1000},
            "100 Mbit/s": {"megabits": 100}}
OPTIONS = {
    "btl": "self,vader,tcp", "btl_tcp_if_include": "eth0", "oob_tcp_if_include": "eth0",
    # A daemon whose host is cut off is given up before its ranks are.
    "oob_tcp_keepalive_time": "1", "oob_tcp_keepalive_intvl": "1", "oob_tcp_keepalive_probes": "2",
    "btl_vader_single_copy_mechanism": "none",  # ptrace may be forbidden
}


class Job:
    """finetune on ranks that take turns on the hosts."""

    def __init__(self, network, programs, ranks, arguments, output):
        machines = network.folder / "machines"
        machines.write_text("".join(f"{address} slots=2\n" for address in network.addresses), encoding="utf-8")
        command = ["mpirun", "--hostfile", machines, "-n", ranks, "--map-by", "node", "--bind-to", "none",
                   "--mca", "plm_rsh_agent", network.agent]
        # What killed processes leave vanishes with the hosts.
        own = {"orte_tmpdir_base": network.folder, "btl_vader_backing_directory": network.folder}
        for name, value in {**OPTIONS, **own}.items():
            command += ["--mca", name, value]
        environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        self.network, self.output = network, output
        with open(output, "w", encoding="utf-8") as file:
            self.process = subprocess.Popen(network.on(0, [*command, programs / "finetune", *arguments]),
                                            env=environment, stdout=file, stderr=subprocess.STDOUT)

    def text(self):
        return self.output.read_text(encoding="utf-8", errors="replace")

    def wait(self, seconds=SECONDS_AT_MOST):
        """Its exit code, when no process is left on any host."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None and not any(self.processes(i) for i in range(HOSTS)):
                return self.process.returncode
            time.sleep(0.05)
        left = [f"{hosts.command_line(process)} on host {i}" for i in range(HOSTS) for process in self.processes(i)]
        raise Broken(f"after {seconds} s these still run: {'; '.join(left)}\n{self.text()}")

    def wait_for(self, text):
        end = time.monotonic() + SECONDS_AT_MOST
        while text not in self.text():
            if self.process.poll() is not None or time.monotonic() > end:
                raise Broken(f"it never printed '{text}':\n{self.text()}")
            time.sleep(0.02)

    def processes(self, host, name=""):
        return [process for process in self.network.processes(host)
                if name in hosts.command_line(process).split(" ")[0]]


class Attempt:
    """Programs, data, and a folder for runs."""

    def __init__(self, programs, folder):
        self.programs, self.folder, self.data, self.runs = programs, folder, folder / "faces", 0
        subprocess.run([programs / "finetune", "--write-synthetic", self.data, "--people", "24"],
                       check=True, stdout=subprocess.DEVNULL)

    def new_run(self):
        self.runs += 1
        return self.folder / f"run-{self.runs}"

    def arguments(self, recipe, out):
        return ["--data", self.data, *map(str, recipe), "--out", out]

    def train_alone(self, recipe):
        out = self.new_run()
        done = subprocess.run([self.programs / "finetune", *self.arguments(recipe, out)], capture_output=True,
                              text=True)
        if done.returncode != 0:
            raise Broken(f"one process ends with {done.returncode}:\n{done.stdout}{done.stderr}")
        return out

    def start(self, network, ranks, arguments):
        return Job(network, self.programs, ranks, arguments, self.folder / "output")

    def run(self, network, ranks, arguments):
        job = self.start(network, ranks, arguments)
        code = job.wait()
        if code != 0:
            raise Broken(f"{ranks} ranks end with {code}:\n{job.text()}")


def speed(out):
    """Images a second of training: the median over epochs but the first."""
    with open(out / "metrics.csv", encoding="utf-8", newline="") as file:
        rows = [float(row["images_per_second"]) for row in csv.DictReader(file)]
    return statistics.median(rows[1:])


def print_speed(name, network, ranks, out):
    images = speed(out)
    print(f"| {name} | {network} | {ranks} | {images:.1f} | {1000 * BATCH / images:.1f} |", flush=True)


def measure(attempt):
    """Each recipe in each network, on 1, 2 and 4 ranks."""
    print(f"\nbatch {BATCH}, one thread a rank, all hosts on {os.cpu_count()} cores:\n")
    print("| network to train | between hosts | ranks | images/s | ms a step |\n| --- | --- | --- | --- | --- |")
    for name, recipe in RECIPES.items():
        alone = attempt.train_alone(recipe)
        print_speed(name, "one process, no mpirun", 1, alone)
        for limits, settings in NETWORKS.items():
            with hosts.Hosts(HOSTS, **settings) as network:
                for ranks in (1, 2, 4) if limits == "no limit" else (2, 4):
                    out = attempt.new_run()
                    attempt.run(network, ranks, attempt.arguments(recipe, out))
                    expect_same_end(alone, out)
                    print_speed(name, limits, ranks, out)
                    shutil.rmtree(out)


def take_down(job, host):
    """Its network interface."""
    job.network.cut_off(host)


def kill_processes(job, host):
    for process in job.processes(host):
        kill(process, signal.SIGKILL)


def kill_rank(job, host):
    for process in job.processes(host, "finetune")[:1]:
        kill(process, signal.SIGKILL)


def terminate_rank(job, host):
    for process in job.processes(host, "finetune")[:1]:
        kill(process, signal.SIGTERM)


def kill(process, number):
    try:
        os.kill(process, number)
    except ProcessLookupError:
        pass


# Of host i: what happens, and what the output must say of it, where there is somebody who can.
FAULTS = [
    ("the interface of host 2 goes down", take_down, 2, ("rank 2 has not answered", "{address}")),
    ("the interface of mpirun's host goes down", take_down, 0, ("has not answered", "lost communication")),
    ("a rank of host 1 is killed", kill_rank, 1, ("rank 1 with PID",)),
    ("all processes of host 2 are killed", kill_processes, 2, ("rank 2 has not answered", "{address}")),
    ("all processes of mpirun's host are killed", kill_processes, 0, ()),
    ("a rank of host 1 gets SIGTERM", terminate_rank, 1, ("interrupted; saved",)),
]


def endure(attempt):
    """Each fault in the middle of a run on four ranks, which goes on with one or two."""
    alone = attempt.train_alone(LONG)
    print("\n| fault | exit code | seconds until nothing runs | said | resumed |\n| --- | --- | --- | --- | --- |")
    for number, (name, cause, host, expected) in enumerate(FAULTS):
        out = attempt.new_run()
        with hosts.Hosts(HOSTS) as network:
            job = attempt.start(network, 4, attempt.arguments(LONG, out))
            job.wait_for("epoch   5/")
            begin = time.monotonic()
            cause(job, host)
            code = job.wait(SECONDS_OF_FAULT)
            seconds = time.monotonic() - begin
            said = [text for text in (line.format(address=network.addresses[host]) for line in expected)
                    if text in job.text()]
            if code == 0 or (expected and not said):
                raise Broken(f"{name}: exit code {code}, expected one of {expected}:\n{job.text()}")
        expect_whole_files(out)
        with hosts.Hosts(HOSTS) as network:
            ranks = 1 + number % 2
            attempt.run(network, ranks, ["--resume", out])
        expect_same_end(alone, out)
        print(f"| {name} | {code} | {seconds:.1f} | {'; '.join(said)} | with {ranks} |", flush=True)


def why_not(programs):
    if shutil.which("mpirun") is None or not (programs.parent / "lib/libhanok_mpi.so").exists():
        return "mpirun and hanok's build with it are not here (Debian: libopenmpi-dev, openmpi-bin)"
    return hosts.missing()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    programs = Path(sys.argv[1]).resolve()
    reason = why_not(programs)
    if reason:
        print(f"network: SKIPPED: {reason}")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="hanok-network-") as folder:
        attempt = Attempt(programs, Path(folder))
        try:
            measure(attempt)
            endure(attempt)
        except Broken as problem:
            print(f"network: BROKEN: {problem}")
            return 1
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # hosts are removed then, too
    sys.exit(main())
