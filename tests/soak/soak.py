"""The soak test of tests/soak/run: one server, many clients, a proxy that cuts, and somebody who kills.

Rounds of files go up and are fetched back, until the time is over. Each client works on one file at a time, half of them at
a limited rate so that they are cut many times, and is started again with the same command until it succeeds. In the first
half of the time the server is killed too; in the second it lives on, and its memory is watched.
"""

import argparse
import asyncio
import contextlib
import hashlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

# The longest that any command may take at the end, when nothing is cut or killed any longer.
PATIENCE = 120


class Proxy:
    """Forwards connections, and cuts each after a random time; half of them with a reset."""

    def __init__(self, server, dice):
        self.server, self.dice, self.links, self.cutting = server, dice, 0, True

    async def start(self):
        listener = await asyncio.start_server(self.handle, "127.0.0.1", 0)
        return listener.sockets[0].getsockname()[1]

    async def handle(self, reader, writer):
        self.links += 1
        ends = [writer]
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.server())
            ends.append(back)
            ways = [asyncio.create_task(self.forward(reader, back)), asyncio.create_task(self.forward(there, writer))]
            life = self.dice.uniform(0.1, 2) if self.cutting else None
            await asyncio.wait(ways, timeout=life, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        except OSError:
            pass
        for end in ends:
            if self.cutting and self.dice.random() < 0.5:
                end.transport.abort()
            else:
                end.close()

    async def forward(self, reader, writer):
        try:
            while piece := await reader.read(1 << 18):
                writer.write(piece)
                await writer.drain()
        except OSError:
            pass


class Server:
    """`bowline serve`, started again whenever it was killed."""

    def __init__(self, options, folder, processes):
        self.options, self.inbox, self.port, self.processes = options, folder / "inbox", None, processes
        self.process, self.kills, self.memory, self.idle_files = None, 0, [], None

    async def start(self):
        listen = f"127.0.0.1:{self.port or 0}"
        words = ["serve", "--listen", listen, "--dir", self.inbox, "--quiet"]
        for _ in range(50):
            self.process = await asyncio.create_subprocess_exec(
                self.options.bowline, *words, stdout=asyncio.subprocess.PIPE, env=self.options.env
            )
            self.processes.append(self.process)
            line = (await self.process.stdout.readline()).decode()
            if line:
                self.port = int(line.rsplit(":", 1)[1])
                if self.idle_files is None:
                    self.idle_files = self.open_files()
                return
            await asyncio.sleep(0.1)
        sys.exit("the server does not start")

    async def kill(self):
        self.note_memory()
        self.process.kill()
        await self.process.wait()
        self.kills += 1
        await self.start()

    def open_files(self):
        """Without the folder of what is under way, which is held open once there is one."""
        files = Path(f"/proc/{self.process.pid}/fd").iterdir()
        return sum(os.path.basename(os.path.realpath(file)) != ".bowline" for file in files)

    def note_memory(self):
        self.memory.append(memory(self.process.pid, "VmHWM"))


def memory(pid, what):
    """The memory that a process has (VmRSS), or has had at the most (VmHWM), in KiB."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith(what)), 0)


class Clients:
    def __init__(self, options, dice, processes):
        self.options, self.dice, self.processes = options, dice, processes
        self.running, self.kills, self.memory = {}, 0, []

    async def run(self, *words):
        """Until it succeeds: the same command again and again."""
        while True:
            process = await asyncio.create_subprocess_exec(
                self.options.bowline,
                *words,
                "--quiet",
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env=self.options.env,
            )
            self.processes.append(process)
            self.running[process.pid] = process
            said, _ = await process.communicate()
            del self.running[process.pid]
            if process.returncode == 0:
                return
            # Killed, or it gave up because the server was away for too long.
            if process.returncode not in (-signal.SIGKILL, 3):
                sys.exit(f"{' '.join(map(str, words))}: exit {process.returncode}: {said.decode()}")

    def kill(self):
        if self.running:
            process = self.dice.choice(list(self.running.values()))
            self.memory.append(memory(process.pid, "VmHWM"))
            # Not with `process.kill()`, which would take the exit code of a process that has just ended from whoever
            # waits for it.
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            self.kills += 1


def write(path, size, dice):
    """Content that nothing else has; small files are all different, too."""
    with open(path, "wb") as out:
        while size:
            piece = dice.randbytes(min(size, 1 << 20))
            out.write(piece)
            size -= len(piece)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()


async def round_of(number, options, dice, clients, url, folder, inbox):
    """Every file goes up, is compared, is fetched back, and is compared again."""
    here, back = folder / "here", folder / "back"
    for place in (here, back):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
    names = [f"{number} {n}.bin" for n in range(options.files)]
    bytes_ = 0
    for name in names:
        # Small sizes are as likely as large ones.
        size = int(options.largest ** dice.random()) - 1 if dice.random() < 0.8 else dice.randrange(options.largest)
        bytes_ += size
        write(here / name, size, dice)
    waiting = list(names)
    dice.shuffle(waiting)

    async def work():
        while waiting:
            name = waiting.pop()
            size = (here / name).stat().st_size
            limit = ["--limit-rate", str(max(size // 10, 10_000))] if dice.random() < 0.5 else []
            await clients.run("send", here / name, url, *limit)
            assert digest(inbox / name) == digest(here / name), f"{name} differs at the server"
            await clients.run("fetch", f"{url}/{name.replace(' ', '%20')}", "-o", back / name, *limit)
            assert digest(back / name) == digest(here / name), f"{name} differs when fetched"

    await asyncio.gather(*(work() for _ in range(options.clients)))
    for name in names:
        os.remove(inbox / name)
    left = [path for path in back.rglob("*") if path.name not in names]
    assert not left, f"left at the clients: {left}"
    return bytes_


async def soak(options, folder, processes):
    dice = random.Random(options.seed)
    server = Server(options, folder, processes)
    await server.start()
    proxy = Proxy(lambda: server.port, dice)
    url = f"ws://127.0.0.1:{await proxy.start()}"
    clients = Clients(options, dice, processes)

    async def mischief():
        while True:
            await asyncio.sleep(dice.uniform(1, 5))
            if dice.random() < 0.2 and time.monotonic() - begin < options.seconds / 2:
                await server.kill()
            else:
                clients.kill()

    begin, total, rounds, held = time.monotonic(), 0, 0, []
    killer = asyncio.create_task(mischief())
    while time.monotonic() - begin < options.seconds:
        rounds += 1
        total += await round_of(rounds, options, dice, clients, url, folder, server.inbox)
        spent = time.monotonic() - begin
        if spent > options.seconds / 2:
            held.append(memory(server.process.pid, "VmRSS"))
        print(
            f"{spent:5.0f} s: round {rounds}, {total / 1e6:.0f} MB each way, {proxy.links} links, "
            f"{clients.kills} clients and {server.kills} servers killed",
            flush=True,
        )
    killer.cancel()

    # With no clients left, everything is as it was at the beginning.
    proxy.cutting = False
    await asyncio.wait_for(round_of(0, options, dice, clients, url, folder, server.inbox), PATIENCE + options.seconds)
    await asyncio.sleep(3)
    server.note_memory()
    parts = [path for path in server.inbox.rglob("*.part")]
    assert not parts, f"parts left over: {parts}"
    files = server.open_files()
    assert files <= server.idle_files, f"{files} files are open, {server.idle_files} were at the start"
    print(f"peaks of the servers, KiB: {server.memory}")
    print(f"the last server after each of its rounds, KiB: {held}")
    assert not held or held[-1] < 2 * min(held), "the server grows"
    print(f"peak of the clients that were killed, KiB: {max(clients.memory, default=0)}")
    print(f"open files of the idle server: {files}, as at the start; parts left over: none; all files equal")
    server.process.terminate()
    await server.process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bowline", required=True)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--largest", type=int, default=64 << 20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        options.env = {**os.environ, "BOWLINE_STATE_DIR": str(Path(folder, "state"))}
        processes = []
        try:
            asyncio.run(soak(options, Path(folder), processes))
        finally:
            for process in processes:
                if process.returncode is None:
                    process.kill()


main()
