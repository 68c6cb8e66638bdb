"""Uploads between two network namespaces with a limited rate: how much arrives, and how long pings take meanwhile.

Run by benches/network/run. Each cell has namespaces of its own:

    direct:   client ──(limited)── server
    relay:    client ── relay that holds 8 MiB ──(limited)── server
"""

import argparse
import concurrent.futures
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from namespaces import Namespaces, sh
from page import save

HERE = Path(__file__).resolve().parent
RELAY = 8 << 20
SIZES = {"python 64 KiB": 64 << 10, "python 256 KiB": 256 << 10, "python 1 MiB": 1 << 20}
BOWLINE = "bowline"
RAW = "raw TCP"
# How many seconds apart clients that share a link start.
APART = 0.5


class Cell(Namespaces):
    """A path between two namespaces, and what is measured over it."""

    def __init__(self, number, rate, through):
        super().__init__(number, "crs")
        self.rate, self.through = rate, through

    def __enter__(self):
        super().__enter__()
        self.wire("c", "r", "10.91.1")
        self.wire("r", "s", "10.91.2")
        self.limit("r", "s")
        self.limit("s", "r")
        self.inside("r", "sysctl", "-qw", "net.ipv4.ip_forward=1").wait()
        sh("ip", "-n", self.names["c"], "route", "add", "default", "via", "10.91.1.2")
        sh("ip", "-n", self.names["s"], "route", "add", "default", "via", "10.91.2.1")
        return self

    def wire(self, a, b, net):
        sh("ip", "link", "add", f"to-{b}", "netns", self.names[a], "type", "veth", "peer", f"to-{a}", "netns", self.names[b])
        for role, other, host in ((a, b, 1), (b, a, 2)):
            sh("ip", "-n", self.names[role], "addr", "add", f"{net}.{host}/24", "dev", f"to-{other}")
            sh("ip", "-n", self.names[role], "link", "set", f"to-{other}", "up")

    def limit(self, role, other):
        words = ["rate", f"{self.rate}mbit", "burst", "16kb" if self.rate < 50 else "64kb", "latency", "400ms"]
        sh("tc", "-n", self.names[role], "qdisc", "add", "dev", f"to-{other}", "root", "tbf", *words)

    def address(self):
        """Where the client finds the server."""
        if self.through == "direct":
            return "10.91.2.2", 9000
        self.inside("r", sys.executable, HERE / "peer.py", "relay", "10.91.1.2", "9001", "10.91.2.2", "9000", str(RELAY))
        time.sleep(0.5)
        return "10.91.1.2", 9001

    def measure(self, program, options):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            return self.bowline(folder, options) if program == BOWLINE else self.python(SIZES[program], options)

    def bowline(self, folder, options):
        result = self.clients(folder, 1, options)[0]
        return result["bytes"] / result["seconds"], result["pings"], [], None

    def clients(self, folder, count, options):
        """What so many clients tell that upload a file each. They begin one after the other and end together."""
        inbox = Path(folder, "inbox")
        inbox.mkdir()
        self.inside("s", options.program, "serve", "10.91.2.2:9000", inbox)
        time.sleep(0.5)
        host, port = self.address()

        def send(number, seconds):
            file = Path(folder, f"file{number}")
            with open(file, "wb") as out:
                out.truncate(int(self.rate * 125_000 * seconds * 2))
            return "send", f"ws://{host}:{port}", file

        return self.together(count, send, options)

    def floods(self, count, options):
        """The same of so many connections of TCP with nothing else above it."""
        self.inside("s", options.program, "drain", "10.91.2.2:9000")
        time.sleep(0.5)
        return self.together(count, lambda *_: ("flood", "%s:%d" % self.address()), options)

    def together(self, count, words, options):
        end, clients = time.monotonic() + options.seconds + (count - 1) * APART, []
        for number in range(count):
            left = end - time.monotonic()
            command = [options.program, *words(number, left), str(left), str(options.seconds / 2)]
            clients.append(self.inside("c", *command, stdout=subprocess.PIPE))
            time.sleep(APART if number + 1 < count else 0)
        return [json.loads(client.communicate(timeout=options.seconds + 60)[0]) for client in clients]

    def python(self, size, options):
        peer = [options.python, HERE / "peer.py"]
        server = self.inside("s", *peer, "serve", "10.91.2.2", "9000", stdout=subprocess.PIPE)
        time.sleep(1)
        host, port = self.address()
        words = ["send", f"ws://{host}:{port}", str(size), str(options.seconds)]
        start = time.monotonic()
        client = self.inside("c", *peer, *words, stdout=subprocess.PIPE)
        result = json.loads(client.communicate(timeout=options.seconds + 60)[0])
        seconds = time.monotonic() - start
        server.kill()
        received = int(server.communicate()[0].split()[-1])
        return received / seconds, result["pings"], result["unanswered"], result["end"]


def seconds(value):
    return f"{value:.1f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def rank(pings, unanswered, share):
    """The ping at this share of all; the age of an unanswered one is the least that it will have taken."""
    everything = sorted([(ping, "") for ping in pings] + [(age, "over ") for age in unanswered])
    if not everything:
        return "none"
    value, over = everything[min(int(len(everything) * share), len(everything) - 1)]
    return over + seconds(value)


def row(program, rate, through, rated, pings, unanswered, end):
    return {
        "program": program,
        "rate": f"{rate} Mbit/s",
        "path": through,
        "throughput": f"{100 * rated / (rate * 125_000):.1f} %",
        "median ping": rank(pings, unanswered, 0.5),
        "worst ping": rank(pings, unanswered, 1),
        "end": end or "",
    }


def run(job):
    number, program, rate, through, options = job
    with Cell(number, rate, through) as cell:
        return row(program, rate, through, *cell.measure(program, options))


def share(program, rate, count, options):
    """How so many of one program that have begun share a link."""
    with Cell(0, rate, "direct") as cell, tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        results = cell.clients(folder, count, options) if program == BOWLINE else cell.floods(count, options)
    late = sorted(result["late"] for result in results)
    pings = [ping for result in results for ping in result["pings"]]
    return {
        "program": program,
        "clients": str(count),
        "rate": f"{rate} Mbit/s",
        "throughput": f"{100 * sum(late) / (options.seconds / 2) / (rate * 125_000):.1f} %",
        "slowest of median": f"{late[0] / late[count // 2]:.2f}",
        "fastest of median": f"{late[-1] / late[count // 2]:.2f}",
        "median ping": rank(pings, [], 0.5),
        "worst ping": rank(pings, [], 1),
    }


def shares(options):
    cells = [(rate, count) for rate in options.rates for count in options.clients]
    return [share(program, rate, count, options) for rate, count in cells for program in (BOWLINE, RAW)]


def uploads(options):
    programs = [name for name in options.only if name == BOWLINE or options.python]
    jobs = [(program, rate, through) for rate in options.rates for through in ("direct", "relay") for program in programs]
    numbered = [(number, *job, options) for number, job in enumerate(jobs)]
    rows = []
    # Slow links take hardly any processor time, so they can be measured in parallel.
    for width, part in ((4, [job for job in numbered if job[2] < 50]), (1, [job for job in numbered if job[2] >= 50])):
        with concurrent.futures.ThreadPoolExecutor(width) as pool:
            rows += pool.map(run, part)
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--python")
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--rates", type=int, nargs="*", default=[1, 10, 100])
    parser.add_argument("--only", nargs="*", default=[BOWLINE, *SIZES])
    parser.add_argument("--clients", type=int, nargs="*", help="so many uploads share a link")
    parser.add_argument("--out", type=Path, help="a file without its ending: .md and .csv are written")
    options = parser.parse_args()
    rows = shares(options) if options.clients else uploads(options)
    lines = list(page(rows, options))
    print("\n".join(lines))
    if options.out:
        save(options.out, lines, rows)


def page(rows, options):
    """The lines of a table for people, and what it was measured on."""
    what = "Clients that share a slow link" if options.clients else "Pings while a file goes out over a slow link"
    control = Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
    yield f"# {what}\n"
    yield (
        f"{time.strftime('%F %R', time.gmtime())} UTC, Linux {platform.release()}, {os.cpu_count()} processors, load average "
        f"{os.getloadavg()[0]:.1f} at the end, {control}, {options.seconds:.0f} s each; round trip of the empty path below 1 ms.\n"
    )
    columns = list(rows[0])
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)
    for line in rows:
        yield "| " + " | ".join(line.values()) + " |"


main()
