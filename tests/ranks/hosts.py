"""Three machines on one: network namespaces, each with a host name and an address of its own, on a switch whose
links have a delay and a bandwidth. Needs root, /dev/net/tun, and the programs ip and unshare."""

import fcntl
import heapq
import multiprocessing
import os
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import time
from pathlib import Path

TUN = "/dev/net/tun"
TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
TAP_WITH_HEADER = 0x0002 | 0x1000 | 0x4000  # IFF_TAP, IFF_NO_PI, IFF_VNET_HDR
LARGE_FRAMES = 0x01 | 0x02  # checksums and segments are left to the receiver, as between virtual machines
HEADER = 10  # struct virtio_net_hdr, which stands before each frame
LARGEST = HEADER + 14 + 65535
BACKLOG_SECONDS = 0.002  # what a host may have on its link before its frames wait in it
PREFIX = "hanok"


def missing():
    """Why there can be no hosts here; empty if there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for program in ("ip", "unshare"):
        if shutil.which(program) is None:
            return f"the program {program} is not here (Debian: iproute2, util-linux)"
    if not os.path.exists(TUN):
        return f"{TUN} is not here"
    name = f"{PREFIX}-{os.getpid()}-0"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode != 0:
        return f"ip netns add: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "delete", name], check=True)
    return ""


class Link:
    """Between a host and the switch: when its two directions are free again."""

    def __init__(self, tap):
        self.tap, self.up_free, self.down_free = tap, 0.0, 0.0


def forward(taps, alive, delay, bytes_per_second):
    """The switch: until `alive` is closed. Host i has the address 02:00:00:00:00:i."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it ends with its parent
    links = [Link(tap) for tap in taps]
    under_way = []  # (when it arrives, number, link, frame)
    number = 0
    while True:
        now = time.monotonic()
        while under_way and under_way[0][0] <= now:
            _, _, link, frame = heapq.heappop(under_way)
            try:
                os.write(link.tap, frame)
            except OSError:
                pass  # that host's interface is down
        readable = [link for link in links if link.up_free <= now + BACKLOG_SECONDS]
        until = [link.up_free - BACKLOG_SECONDS for link in links if link.up_free > now + BACKLOG_SECONDS]
        until += [entry[0] for entry in under_way[:1]]
        wait = max(0.0, min(until) - now) if until else None
        ready, _, _ = select.select([alive, *(link.tap for link in readable)], [], [], wait)
        if alive in ready:
            return
        now = time.monotonic()
        for link in readable:
            if link.tap not in ready:
                continue
            try:
                frame = os.read(link.tap, LARGEST)
            except OSError:
                time.sleep(0.01)  # down
                continue
            seconds = (len(frame) - HEADER) / bytes_per_second
            link.up_free = max(now, link.up_free) + seconds
            to = frame[HEADER + 5]
            for other in links if frame[HEADER] & 1 else links[to - 1:to]:
                if other is link:
                    continue
                other.down_free = max(link.up_free, other.down_free + seconds)
                number += 1
                heapq.heappush(under_way, (other.down_free + delay, number, other, frame))


class Hosts:
    """`with Hosts(3) as hosts`. They vanish, with what runs on them, at its end."""

    def __init__(self, count, delay=0.0, megabits=0.0):
        """`delay` in seconds, each way; `megabits` a second of each host's link, 0: as many as go."""
        self.names = [f"{PREFIX}-{os.getpid()}-{i + 1}" for i in range(count)]
        self.addresses = [f"10.77.0.{i + 1}" for i in range(count)]
        self.delay, self.bytes_per_second = delay, megabits * 125000 or float("inf")
        self.taps, self.switch, self.alive, self.folder = [], None, None, None

    def __enter__(self):
        try:
            remove_leftovers()
            self.folder = Path(tempfile.mkdtemp(prefix="hanok-hosts-"))
            for number, name in enumerate(self.names, 1):
                self.add(number, name)
            alive, self.alive = os.pipe()
            self.switch = multiprocessing.get_context("fork").Process(
                target=self.run_switch, args=(alive, self.alive))
            self.switch.start()
            os.close(alive)
            self.write_agent()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    def add(self, number, name):
        subprocess.run(["ip", "netns", "add", name], check=True)
        tap = os.open(TUN, os.O_RDWR)
        self.taps.append(tap)
        device = f"hanok{os.getpid()}.{number}"[:15]
        fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", device.encode(), TAP_WITH_HEADER))
        fcntl.ioctl(tap, TUNSETOFFLOAD, LARGE_FRAMES)
        subprocess.run(["ip", "link", "set", device, "netns", name], check=True)
        for command in (f"link set {device} name eth0 address 02:00:00:00:00:{number:02x}",
                        f"address add {self.addresses[number - 1]}/24 dev eth0", "link set eth0 up", "link set lo up"):
            subprocess.run(["ip", "-n", name, *command.split()], check=True)

    def run_switch(self, alive, other_end):
        os.close(other_end)
        os.nice(-10)  # it must not wait for what computes
        forward(self.taps, alive, self.delay, self.bytes_per_second)

    def write_agent(self):
        """What stands for ssh: AGENT [-OPTION...] ADDRESS COMMAND..."""
        lines = ["#!/bin/sh", 'while [ "${1#-}" != "$1" ]; do shift; done', 'case "$1" in']
        for name, address in zip(self.names, self.addresses):
            lines.append(f"  {address}) name={name} ;;")
        lines += ['  *) echo "no host $1" >&2; exit 255 ;;', "esac", "shift",
                  'exec ip netns exec "$name" unshare --uts sh -c \'hostname "$0" && exec sh -c "$*"\' "$name" "$@"']
        self.agent.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.agent.chmod(0o755)

    @property
    def agent(self):
        return self.folder / "agent"

    def on(self, host, command):
        """What runs the command on a host, from 0 on."""
        return ["ip", "netns", "exec", self.names[host], "unshare", "--uts", "sh", "-c",
                'hostname "$0" && exec "$@"', self.names[host], *map(str, command)]

    def cut_off(self, host):
        subprocess.run(["ip", "-n", self.names[host], "link", "set", "eth0", "down"], check=True)

    def processes(self, host):
        """Their numbers."""
        return processes_of(self.names[host])

    def remove(self):
        interrupts = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
        try:
            self.remove_all()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, interrupts)

    def remove_all(self):
        for name in self.names:
            remove_host(name)
        if self.alive is not None:
            os.close(self.alive)
            self.alive = None
        if self.switch is not None:
            self.switch.join()
        for tap in self.taps:
            os.close(tap)
        self.taps.clear()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def processes_of(name):
    listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
    return [int(number) for number in listed.stdout.split()]


def command_line(process):
    """Of a process that may be gone."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def remove_host(name):
    for process in processes_of(name):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass
    subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def remove_leftovers():
    """Hosts of scripts that were killed."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        name = line.split()[0] if line.split() else ""
        parts = name.split("-")
        if len(parts) == 3 and parts[0] == PREFIX and not os.path.exists(f"/proc/{parts[1]}"):
            remove_host(name)
