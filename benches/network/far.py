"""A file over a line that is far and loses packets, by bowline and by raw TCP in turn. Run by benches/network/far."""

import argparse
import filecmp
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from namespaces import Namespaces
from page import save

HERE = Path(__file__).resolve().parent
# Mbit/s, round trip in ms, percent lost.
PATHS = ["50/150/1", "20/300/1", "50/200/0.2", "20/100/1", "50/200/0"]
CLIENT, SERVER, PORT = "10.91.3.1", "10.91.3.2", "9000"


class Far(Namespaces):
    """Two namespaces with a line between them."""

    def __init__(self, path, control, seed, options):
        super().__init__("far", "cs")
        self.line = [*path.split("/")[:2], str(options.queue), path.split("/")[2], str(seed)]
        self.control = control

    def __enter__(self):
        super().__enter__()
        for role in self.names:
            if self.inside(role, "sysctl", "-qw", f"net.ipv4.tcp_congestion_control={self.control}").wait() != 0:
                self.__exit__()
                raise SystemExit(f"{self.control} may not be chosen here: net.ipv4.tcp_allowed_congestion_control")
        words = [sys.executable, HERE / "line.py", *self.names.values(), *self.line]
        line = subprocess.Popen(words, stdout=subprocess.PIPE)
        self.processes.append(line)
        line.stdout.readline()
        return self


# Each of these starts a server; returns the end that connects, its command, and where the file arrives.


def bowline(far, way, file, folder, options):
    served = file.parent if way == "down" else folder
    far.inside("s", options.bowline, "serve", "--listen", f"{SERVER}:{PORT}", "--dir", served, "--quiet", stdout=subprocess.DEVNULL)
    url, arrived = f"ws://{SERVER}:{PORT}", folder / "file"
    words = ["fetch", f"{url}/file", "-o", arrived] if way == "down" else ["send", file, url]
    return "c", [options.bowline, *words, "--quiet"], arrived


def raw(far, way, file, folder, options):
    taker, giver, address = ("c", "s", CLIENT) if way == "down" else ("s", "c", SERVER)
    far.inside(taker, options.raw, "serve", f"{address}:{PORT}", folder / "file")
    return giver, [options.raw, "send", f"{address}:{PORT}", file], folder / "file"


PROGRAMS = {"bowline": bowline, "raw TCP": raw}


def measure(program, path, way, control, seed, file, options):
    """The Mbit/s of a file, from the start of the one who begins until he ends."""
    with Far(path, control, seed, options) as far, tempfile.TemporaryDirectory(dir=file.parent.parent) as folder:
        role, words, arrived = PROGRAMS[program](far, way, file, Path(folder), options)
        time.sleep(0.5)
        start = time.monotonic()
        status = far.inside(role, *words, env={**os.environ, "BOWLINE_STATE_DIR": folder}).wait(timeout=300)
        seconds = time.monotonic() - start
        if status != 0 or not filecmp.cmp(file, arrived, shallow=False):
            raise RuntimeError(f"{program} failed")
    return options.mib * 8.388608 / seconds


def row(path, way, control, file, options):
    rates = {program: [] for program in PROGRAMS}
    for seed in range(options.rounds):
        for program in PROGRAMS:
            rates[program].append(measure(program, path, way, control, seed, file, options))
    mbit, rtt, loss = path.split("/")
    ratios = [mine / other for mine, other in zip(*rates.values())]
    spread = {program: f"{statistics.median(all):.1f} ({min(all):.1f}-{max(all):.1f})" for program, all in rates.items()}
    return {
        "path": f"{mbit} Mbit/s, {rtt} ms, {loss} % lost",
        "way": way,
        "control": control,
        **spread,
        "of raw TCP": f"{statistics.median(ratios):.2f}",
    }


def main():
    parser = argparse.ArgumentParser(prog="benches/network/far")
    parser.add_argument("--bowline", required=True)
    parser.add_argument("--raw", required=True)
    parser.add_argument("--paths", nargs="*", default=PATHS, help="Mbit/s, round trip in ms, percent lost: 50/150/1")
    parser.add_argument("--ways", nargs="*", default=["up", "down"], choices=["up", "down"])
    parser.add_argument("--control", nargs="*", default=["bbr"], help="the congestion control of TCP")
    parser.add_argument("--queue", type=float, default=100, help="the ms that the line holds")
    parser.add_argument("--mib", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="a file without its ending: .md and .csv are written")
    options = parser.parse_args()
    lines, rows = list(head(options)), []
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="bowline-far.") as folder:
        file = Path(folder, "source", "file")
        file.parent.mkdir()
        file.write_bytes(os.urandom(options.mib << 20))
        for path in options.paths:
            for control in options.control:
                for way in options.ways:
                    rows.append(row(path, way, control, file, options))
                    if len(rows) == 1:
                        lines += ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
                        print("\n".join(lines))
                    lines.append("| " + " | ".join(rows[-1].values()) + " |")
                    print(lines[-1], flush=True)
    if options.out:
        save(options.out, lines, rows)


def head(options):
    yield f"# A file of {options.mib} MiB over a far line, in Mbit/s\n"
    yield (
        f"{time.strftime('%F %R', time.gmtime())} UTC, Linux {platform.release()}, {os.cpu_count()} processors. Medians, least and most of "
        f"{options.rounds} rounds in turn, ratios within rounds; the line holds {options.queue:.0f} ms of its rate.\n"
    )


main()
