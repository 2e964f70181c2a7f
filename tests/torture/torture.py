#!/usr/bin/env python3
"""Attacks hanok's promises by machine and prints a table of what was tried and what came of it.

./dev torture builds what this needs and runs it. Every attack follows from --seed (moments of kills also from the
machine's speed); a broken promise is printed with what repeats it, and the exit code is 1.
"""

import argparse
import shutil
import sys
import tempfile
import time

import changing_files
import endurance
import failing_files
import folders
import kills
import memory
import ranks
import same_bits
import signals
from runs import Broken, Torture

ATTACKS = {"kills": kills, "ranks": ranks, "files": failing_files, "folders": folders, "signals": signals,
           "memory": memory, "same_bits": same_bits, "changing_files": changing_files, "endurance": endurance}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", help="folder with the programs")
    parser.add_argument("preload", help="libfailing_files.so")
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help=f"{', '.join(ATTACKS)}; without: all")
    parser.add_argument("--short", action="store_true", help="a sample of each attack, some minutes in all")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn (0)")
    parser.add_argument("--seconds", type=float, default=7200, help="in all; each attack has an equal share (7200)")
    parser.add_argument("--keep", action="store_true", help="keep the folders of runs")
    options = parser.parse_intermixed_args()
    unknown = [name for name in options.attacks if name not in ATTACKS]
    if unknown:
        parser.error(f"unknown attack {unknown[0]}; there are {', '.join(ATTACKS)}")

    folder = tempfile.mkdtemp(prefix="hanok-torture-")
    torture = Torture(options.programs, options.preload, folder, options.seed)
    broken = 0
    print("| promise | attacked by | attacks | of them hit | outcome | seconds |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    end = time.monotonic() + options.seconds
    try:
        torture.make_data()
        attacks = [attack for name in options.attacks or ATTACKS
                   for attack in ATTACKS[name].attacks(torture, options.short)]
        for number, (promise, fault, attack) in enumerate(attacks):
            begin = time.monotonic()
            # Each has an equal share of what is left.
            torture.end = begin + (end - begin) / (len(attacks) - number)
            try:
                count, hit = attack()
                outcome = "held" if count else "not tried: no time left"
            except Broken as problem:
                count = hit = "?"
                outcome = "BROKEN"
                broken += 1
                print(f"broken: {problem}", file=sys.stderr, flush=True)
            print(f"| {promise} | {fault} | {count} | {hit} | {outcome} | {time.monotonic() - begin:.0f} |", flush=True)
    finally:
        if not options.keep and broken == 0:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"runs are kept in {folder}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
