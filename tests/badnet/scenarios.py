"""Runs the command over bad paths, and judges it by what it promises. Started by tests/badnet/run, as root.

Each scenario is a function of `World`, in a process of its own; all run at the same time, and mostly wait.
"""

import argparse
import contextlib
import filecmp
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from path import SERVER, BadPath, Nat, Way

URL = f"ws://{SERVER}:9000"
# No scenario takes longer.
LIMIT = 200
# With default settings: the heartbeat plus its timeout; and the longest dial plus the longest wait that follows from an
# outage of two minutes.
DIAL, DEAD, BACK = 10, 20 + 20, 10 + 16
# After this much silence during a transfer, a second connection is tried.
DOUBT = 3 + 3
SILENT_SERVER = ["--heartbeat", "300s"]
QUICK, QUICKLY_DEAD = ["--heartbeat", "5s", "--timeout", "5s"], 5 + 5


class Command:
    """A command of the program, whose lines have times."""

    def __init__(self, world, role, *words):
        env = {**os.environ, "BOWLINE_STATE_DIR": str(world.folder / role)}
        words, pipe = [world.program, *map(str, words)], subprocess.PIPE
        self.process = world.path.inside(role, *words, env=env, text=True, stdout=pipe, stderr=subprocess.DEVNULL)
        self.lines, self.begun = [], threading.Event()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line))
            self.begun.set()

    def wait(self):
        code = self.process.wait(LIMIT)
        self.reader.join()
        return code

    def events(self, key, value):
        events = ((at, json.loads(line)) for at, line in self.lines if line.startswith("{"))
        return [(at, event) for at, event in events if event.get(key) == value]

    def links(self):
        return len(self.events("state", "up"))

    def ends(self):
        """Why connections ended that nobody had closed in order."""
        whys = [event["why"] for _, event in self.events("state", "down")]
        return [why for why in whys if why != "sent 1000 (OK); then received 1000 (OK)"]

    def longest_ping(self):
        return max(event["round_trip_ms"] for _, event in self.events("event", "pong")) / 1000


class World:
    """A path with a server at its end."""

    def __init__(self, program, folder):
        self.program, self.folder, self.inbox = program, folder, folder / "inbox"
        self.ends = contextlib.ExitStack()
        self.inbox.mkdir()

    def over(self, serve=(), nat=None, **both):
        """The path, on which both ways are like that."""
        self.path = self.ends.enter_context(BadPath(Way(**both), Way(**both), nat or Nat()))
        server = Command(self, "s", "serve", "--listen", f"{SERVER}:9000", "--dir", self.inbox, *serve)
        assert server.begun.wait(10), "the server does not start"
        return self.path

    def client(self, *words):
        return Command(self, "c", *words, "--json")

    def file(self, size, name="file", where=None):
        path = (where or self.folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(random.Random(name).randbytes(size))
        return path

    def transfer(self, way, size, *options):
        """A file sets off, up or down: its command, where it comes from, where it goes to, and the way that its bytes take."""
        if way == "up":
            file = self.file(size)
            return self.client("send", file, URL, *options), file, self.inbox / "file", self.path.up
        file, to = self.file(size, where=self.inbox), self.folder / "copy"
        return self.client("fetch", f"{URL}/file", "-o", to, *options), file, to, self.path.down


def arrives(command, file, to):
    assert command.wait() == 0, "the command fails"
    pairs = [(file, to)] if file.is_file() else [(each, to / each.relative_to(file)) for each in file.rglob("*.bin")]
    assert all(filecmp.cmp(*pair, shallow=False) for pair in pairs), "what arrived differs"


def lives(command):
    """It was no healthy connection that was declared dead."""
    assert command.links() == 1 and not command.ends(), f"{command.links()} connections: {command.ends()}"


def lossy(world, way, loss, *options, **more):
    world.over(delay=0.1, rate=1e5, queue=30_000, loss=loss, **more)
    begin = time.monotonic()
    command, file, to, _ = world.transfer(way, 1_000_000, *options)
    arrives(command, file, to)
    lives(command)
    return f"{1e3 / (time.monotonic() - begin):.0f} kB/s of 100"


def worse(world, way):
    return lossy(world, way, 0.05, burst=3, jitter=0.1, reorder=0.02, twice=0.02)


def many(world):
    """A folder of small files, and back."""
    world.over(delay=0.1, rate=1e5, queue=30_000, loss=0.02)
    folder, copy = world.folder / "many", world.folder / "copy"
    for n in range(300):
        world.file(1000 + n, f"{n % 7}/{n}.bin", folder)
    sent = world.client("send", folder, URL)
    arrives(sent, folder, world.inbox / "many")
    fetched = world.client("fetch", f"{URL}/many", "-o", copy)
    arrives(fetched, folder, copy)
    lives(sent)
    lives(fetched)
    return "300 files"


def bloated(world, way):
    """Ten seconds of queue: whoever fills it starves pings, his own and those of others."""
    world.over(rate=1e5, queue=1_000_000)
    watch = world.client("watch", URL, "--heartbeat", "2s", "--for", "25s")
    command, file, to, _ = world.transfer(way, 2_000_000)
    small = world.client("send", world.file(50_000, "small"), URL)
    arrives(small, world.folder / "small", world.inbox / "small")
    assert not command.events("event", "done"), "the small file waited for the large one"
    arrives(command, file, to)
    assert watch.wait() == 0, "watch fails"
    for command in (watch, command, small):
        lives(command)
    longest = watch.longest_ping()
    assert longest < 5, f"a ping took {longest:.1f} s"
    return f"the longest ping of another connection took {longest:.1f} s"


def blackout(world, way, seconds, holes, dead=DEAD, options=()):
    """Nothing crosses for so long; what is still on its way is lost."""
    path = world.over(rate=1e5, delay=0.1)
    command, file, to, flow = world.transfer(way, 1_000_000, *options)
    time.sleep(4)
    cut = time.monotonic()
    path.hole(True, *[getattr(path, hole) for hole in holes])
    time.sleep(seconds)
    path.hole(False)
    whole = time.monotonic()
    arrives(command, file, to)
    downs = command.events("state", "down")
    found = [at - cut for at, event in downs if "ping timeout" in event["why"]]
    assert len(found) <= 1, f"it ended more than once: {command.ends()}"
    assert seconds < dead or found, "it was not found dead"
    assert all(after < dead + 2 for after in found), f"found dead only after {found[0]:.1f} s"
    assert all("NAT" not in why for why in command.ends()), f"it was no silence: {command.ends()}"
    back = next(at for at in flow.arrived if at > whole) - whole
    assert back < (BACK if found else dead), f"nothing came for {back:.1f} s"
    end = f"found dead after {found[0]:.1f} s; " if found else ""
    return f"{end}bytes flow {back:.1f} s after the path is whole"


def forgotten(world, resets):
    """A NAT that forgets, and a heartbeat that is too slow for it at first."""
    world.over(SILENT_SERVER, Nat(4, resets))
    watch = world.client("watch", URL, "--heartbeat", "9s", "--timeout", "3s", "--for", "90s")
    assert watch.wait() == 0, "watch fails"
    ups, pongs = watch.events("state", "up"), watch.events("event", "pong")
    assert 2 <= len(ups) <= 8, f"{len(ups)} connections"
    lived = pongs[-1][0] - ups[-1][0]
    assert lived > 20, f"the last one lived for {lived:.0f} s"
    return f"{len(ups) - 1} ends, then all pings are answered"


def settled(world):
    """Who pings in time has nothing to learn."""
    world.over(SILENT_SERVER, Nat(4))
    watch = world.client("watch", URL, "--heartbeat", "3s", "--for", "80s")
    assert watch.wait() == 0, "watch fails"
    lives(watch)
    return f"{len(watch.events('event', 'pong'))} pings"


def idle(world):
    """As many pings as in a quarter of an hour, over a path on which all goes wrong."""
    world.over(delay=0.1, jitter=0.1, loss=0.05, burst=2, reorder=0.02, twice=0.02)
    watch = world.client("watch", URL, "--heartbeat", "1s", "--timeout", "10s", "--for", "80s")
    assert watch.wait() == 0, "watch fails"
    lives(watch)
    return f"{len(watch.events('event', 'pong'))} pings, the longest {watch.longest_ping():.1f} s"


def shot(world, way):
    nat = Nat(resets=True)
    world.over(nat=nat, rate=1e5, delay=0.1)
    command, file, to, _ = world.transfer(way, 1_500_000)
    for _ in range(3):
        time.sleep(3)
        nat.forget()
    arrives(command, file, to)
    ends = command.ends()
    assert ends and command.links() == len(ends) + 1, f"{command.links()} connections"
    assert all("connection reset" in why and "limit" not in why for why in ends), ends
    return f"{len(ends)} resets"


def mute(world, way):
    """The path forgets a connection that is busy, and drops what comes of it; new ones are carried."""
    nat = Nat()
    world.over(nat=nat, rate=1e5, delay=0.1)
    command, file, to, flow = world.transfer(way, 1_500_000)
    time.sleep(4)
    nat.forget()
    cut = time.monotonic()
    arrives(command, file, to)
    (why,) = command.ends()
    assert command.links() == 2 and "replaced by a new connection" in why, f"{command.links()} connections: {why}"
    found = next(at for at, event in command.events("state", "down") if event["why"] == why) - cut
    assert found < DOUBT + 2, f"it was replaced after {found:.1f} s"
    return f"replaced after {found:.1f} s"


def clogged(world, way):
    """Large packets are dropped without a word: each connection opens, and carries nothing."""
    path = world.over(QUICK)
    path.up.mtu = path.down.mtu = 800
    begin = time.monotonic()
    command, *_ = world.transfer(way, 1_000_000, *QUICK, "--give-up-after", "40s")
    assert command.wait() == 3, "it is not given up"
    took = time.monotonic() - begin
    assert 20 < took < 40 + DIAL + QUICKLY_DEAD, f"it took {took:.1f} s"
    (_, event), = command.events("event", "failed")
    assert "nothing has got across" in event["error"], event["error"]
    assert command.links() > 1, f"{command.links()} connections"
    return f"given up after {took:.1f} s and {command.links()} connections"


def queued(world, way):
    """Somebody else keeps 13 s of queue on the way: no dial of the first length finds the server."""
    path = world.over()
    getattr(path, way).delay = 13
    begin = time.monotonic()
    file, to = world.file(50_000), world.inbox / "file"
    command = world.client("send", file, URL, "--give-up-after", "150s")
    arrives(command, file, to)
    (up, _), = command.events("state", "up")
    lives(command)
    return f"connected after {up - begin:.1f} s, done after {time.monotonic() - begin:.1f} s"


def unreachable(world):
    path = world.over()
    path.hole(True)
    begin = time.monotonic()
    command = world.client("send", world.file(1000), URL)
    assert command.wait() == 3, "it is not given up"
    took = time.monotonic() - begin
    assert DIAL < took < DIAL + 2 * DIAL + 3, f"it took {took:.1f} s"
    (_, event), = command.events("event", "failed")
    assert "did not answer" in event["error"], event["error"]
    return f"given up after {took:.1f} s"


BOTH = ["up", "down"]
SCENARIOS = {
    **{f"{loss}% lost, {way}": (lossy, way, loss / 100) for loss in (1, 5, 20) for way in BOTH},
    **{f"5% lost in rows, and all else goes wrong, {way}": (worse, way) for way in BOTH},
    **{f"10% lost, pings after 5 s, {way}": (lossy, way, 0.1, *QUICK) for way in BOTH},
    "300 small files, 2% lost": (many,),
    **{f"10 s of queue, {way}": (bloated, way) for way in BOTH},
    **{f"{seconds} s of nothing, {way}": (blackout, way, seconds, BOTH) for seconds in (3, 20, 60) for way in BOTH},
    **{f"20 s of nothing, pings after 5 s, {way}": (blackout, way, 20, BOTH, QUICKLY_DEAD, QUICK) for way in BOTH},
    **{f"50 s of nothing {hole}, {way}": (blackout, way, 50, [hole]) for hole in BOTH for way in BOTH},
    "a NAT forgets after 4 s": (forgotten, False),
    "a NAT forgets after 4 s, and resets": (forgotten, True),
    "a NAT forgets, and pings are in time": (settled,),
    "all goes wrong, and nothing is said": (idle,),
    **{f"a reset now and then, {way}": (shot, way) for way in BOTH},
    **{f"a busy connection is forgotten, {way}": (mute, way) for way in BOTH},
    **{f"large packets are lost, {way}": (clogged, way) for way in BOTH},
    **{f"13 s of somebody else's queue, {way}": (queued, way) for way in BOTH},
    "nobody answers": (unreachable,),
}


def judge(name, program):
    """One scenario: whether it passes, and what was seen."""
    scenario, *arguments = SCENARIOS[name]
    with tempfile.TemporaryDirectory() as folder:
        world = World(program, Path(folder))
        try:
            return True, scenario(world, *arguments)
        except Exception as error:  # Whatever it is, the scenario has failed by it.
            return False, f"{type(error).__name__}: {error}"
        finally:
            world.ends.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bowline", required=True)
    parser.add_argument("--one", help="this scenario alone, here")
    parser.add_argument("words", nargs="*", help="only scenarios with one of these in their names")
    options = parser.parse_args()
    # So that everything that was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if options.one:
        print(json.dumps(judge(options.one, options.bowline)))
        return
    names = [name for name in SCENARIOS if not options.words or any(word in name for word in options.words)]
    words = [sys.executable, __file__, "--bowline", options.bowline, "--one"]
    running = {name: subprocess.Popen([*words, name], stdout=subprocess.PIPE, text=True) for name in names}
    passes = []
    try:
        for name, process in running.items():
            is_good, seen = json.loads(process.communicate()[0] or '[false, "it broke off"]')
            passes.append(is_good)
            print(f"{'pass' if is_good else 'FAIL'}  {name:<52} {seen}", flush=True)
    finally:
        for process in running.values():
            process.terminate()
            process.wait()
    sys.exit(not all(passes))


if __name__ == "__main__":
    main()
