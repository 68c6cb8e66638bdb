"""Kills the command at each system call, makes each fail, and looks whether everything arrives whole. Started by tests/crashes/run.

A case is an end (server or client), what it does (send or fetch), a fault, and a system call. It is tried for the first such call of
a thread, the second and so on, until none is left to be struck.
"""

import argparse
import itertools
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Calls that concern a disk or a network. `write` wakes threads and fills logs, so it is never made to fail.
CHANGES = ["openat", "mkdirat", "pwrite64", "fsync", "renameat2", "unlinkat", "utimensat", "flock", "ftruncate"]
LOOKS = ["newfstatat", "fstat", "fstatfs", "pread64", "getdents64", "close"]
NETWORK = ["sendto", "recvfrom", "accept4", "connect", "epoll_ctl"]
# What happens, to how many calls (`+` means this one and all later ones), and to which calls.
FAULTS = {
    "KILL": ("signal=KILL", "", CHANGES + LOOKS + NETWORK + ["write"]),
    "EIO": ("error=EIO", "", CHANGES + LOOKS),
    "EIO+": ("error=EIO", "+", CHANGES + LOOKS),
    "ENOSPC": ("error=ENOSPC", "", ["openat", "mkdirat", "pwrite64", "fsync", "renameat2"]),
    "ENOSPC+": ("error=ENOSPC", "+", ["openat", "mkdirat", "pwrite64", "fsync", "renameat2"]),
    "EMFILE": ("error=EMFILE", "", ["openat", "accept4"]),
    "EINTR": ("error=EINTR", "", ["pwrite64", "pread64", "fsync", "openat", "sendto", "recvfrom", "flock"]),
    "ECONNRESET": ("error=ECONNRESET", "", ["sendto", "recvfrom"]),
}
# How long a file that failed is tried again.
PATIENCE = "2s"
# No command takes longer.
LIMIT = 60


class Failed(Exception):
    """What does not hold, in words."""


class Case:
    """The folders and processes of one fault at one call."""

    def __init__(self, program, folder, source, end, verb):
        self.program, self.folder, self.source, self.end, self.verb = program, folder, source, end, verb
        self.inbox, self.outbox = folder / "inbox", folder / "outbox"
        self.inbox.mkdir()
        self.outbox.mkdir()
        with socket.socket() as door:
            door.bind(("127.0.0.1", 0))
            self.port = door.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}"
        self.running = []

    def start(self, role, words, inject=None):
        trace = []
        if inject:
            trace = ["strace", "-f", "-qq", "-o", self.folder / "trace", "-e", f"trace={inject[0]}", "-e", f"inject={inject[0]}:{inject[1]}:when={inject[2]}"]
        log = open(self.folder / f"{role}.log", "a")
        env = {**os.environ, "BOWLINE_STATE_DIR": str(self.folder / f"{role}-state"), "RUST_BACKTRACE": "0"}
        process = subprocess.Popen(
            [*map(str, trace), self.program, *map(str, words)], stdout=log, stderr=log, env=env, start_new_session=True
        )
        self.running.append(process)
        return process

    def serve(self, inject=None):
        while True:
            server = self.start("server", ["serve", "--dir", self.inbox, "--listen", f"127.0.0.1:{self.port}"], inject)
            while server.poll() is None:
                if self.is_listening():
                    return server
                time.sleep(0.02)
            # The previous server may not have released the port yet.
            if inject or "Address already in use" not in self.said("server"):
                return server
            time.sleep(0.1)

    def is_listening(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def command(self, inject=None):
        words = ["send", self.source, self.url]
        if self.verb == "fetch":
            words = ["fetch", f"{self.url}/{self.source.name}", "-o", self.outbox / self.source.name]
        return self.start("client", [*words, "--give-up-after", PATIENCE], inject)

    def wait(self, process):
        try:
            return process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            raise Failed(f"the command has not ended after {LIMIT} s") from None

    def stop(self):
        for process in self.running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        # A program may outlive the strace that ran it by a moment.
        while self.is_listening():
            time.sleep(0.01)

    def said(self, role):
        return (self.folder / f"{role}.log").read_text(errors="replace")

    def was_struck(self):
        trace = self.folder / "trace"
        return trace.exists() and re.search(r"\(INJECTED\)|killed by SIGKILL", trace.read_text(errors="replace")) is not None

    def arrived(self):
        return (self.inbox if self.verb == "send" else self.outbox) / self.source.name

    def check_no_wrong(self):
        """What has arrived so far is right."""
        want = content(self.source)
        for name, bytes_ in content(self.arrived()).items():
            if want.get(name, b"none") != bytes_:
                raise Failed(f"{name} is wrong")

    def check_whole(self):
        self.check_no_wrong()
        missing = sorted(content(self.source).keys() - content(self.arrived()).keys())
        if missing:
            raise Failed(f"exit code 0, and missing: {missing}")
        parts = [path.name for path in self.arrived().parent.rglob("*.part")]
        # Without a secret that can be stored, a later command cannot recognise them, and says so.
        if parts and "no later command can resume this" not in self.said("client"):
            raise Failed(f"left behind: {parts}")

    def check_said(self, role):
        if "panicked" in self.said(role):
            raise Failed(f"the {role} panicked")

    def run(self, fault, call, when):
        """Whether the fault struck."""
        if self.verb == "fetch":
            subprocess.run(["cp", "-r", self.source, self.inbox], check=True)
        inject = (call, fault, when)
        server = self.serve(inject if self.end == "server" else None)
        command = self.command(inject if self.end == "client" else None)
        if self.end == "server" and "signal" in fault:
            # The server is restarted, and the command continues by itself.
            while server.poll() is None and command.poll() is None:
                time.sleep(0.01)
            if server.poll() is not None:
                server = self.serve()
        code = self.wait(command)
        struck = self.was_struck()
        if not struck or "error while loading shared libraries" in self.said(self.end):
            return struck
        self.check_no_wrong()
        for role in ["server", "client"]:
            self.check_said(role)
        if code == 0:
            self.check_whole()
        elif self.end == "server" and "signal" in fault:
            raise Failed(f"the command ended with {code} though the server was started again")
        elif "signal" not in fault and (code not in [1, 3] or "bowline: " not in self.said("client")):
            raise Failed(f"ended with {code}, without a word")
        if server.poll() is not None and "bowline: " not in self.said("server"):
            raise Failed(f"the server ended with {server.poll()}, without a word")
        # This server may still run into the fault, if it has not yet.
        self.stop()
        self.serve()
        code = self.wait(self.command())
        if code != 0:
            raise Failed(f"the same command again ended with {code}")
        self.check_whole()
        return True


def content(folder):
    """Of each file its bytes, and None for a folder; not what a receiver keeps for itself."""
    paths = (path for path in folder.rglob("*") if ".bowline" not in path.parts)
    return {str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes() for path in paths}


def make_source(folder):
    draw = random.Random(1)
    source = folder / "tree"
    (source / "deep" / "empty").mkdir(parents=True)
    (source / "large").write_bytes(draw.randbytes(1_500_000))
    (source / "deep" / "middle").write_bytes(draw.randbytes(70_000))
    (source / "deep" / "small").write_bytes(b"hello")
    (source / "nothing").write_bytes(b"")
    return source


def strike(options, source, end, verb, name, call):
    """Strikes each call; says how many were, and what does not hold."""
    fault, more, _ = FAULTS[name]
    struck, problems = 0, []
    for n in itertools.count(1):
        with tempfile.TemporaryDirectory(prefix="crashes-", dir=options.dir) as folder:
            case = Case(options.bowline, Path(folder), source, end, verb)
            try:
                # Calls are distributed differently between threads each time.
                if not case.run(fault, call, f"{n}{more}"):
                    break
                struck += 1
            except Failed as failed:
                struck += 1
                problems.append(f"call {n}: {failed}\n{indent(case.said('client'))}\n  server:\n{indent(case.said('server'))}")
            finally:
                case.stop()
        if struck == options.most:
            break
    return struck, problems


def indent(text):
    return "\n".join("    " + line for line in text.splitlines()[-12:])


def main():
    parser = argparse.ArgumentParser(description="Kills the command at each system call, and makes each fail.")
    parser.add_argument("--bowline", required=True)
    parser.add_argument("--dir", default="/dev/shm", help="where the folders are")
    parser.add_argument("--most", type=int, default=12, help="how many calls of a kind are struck")
    parser.add_argument("words", nargs="*", help="only cases that have all of these words")
    options = parser.parse_args()

    cases = [
        (end, verb, name, call)
        for end in ["server", "client"]
        for verb in ["send", "fetch"]
        for name, (_, _, calls) in FAULTS.items()
        for call in calls
        if set(options.words) <= {end, verb, name, call}
    ]
    total, bad = 0, 0
    with tempfile.TemporaryDirectory(prefix="crashes-", dir=options.dir) as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        source = make_source(Path(folder))
        results = pool.map(lambda case: strike(options, source, *case), cases)
        for case, (struck, problems) in zip(cases, results):
            total, bad = total + struck, bad + len(problems)
            if struck:
                print(f"{'FAIL' if problems else 'pass'}  {' '.join(case):40} {struck} times", flush=True)
            for problem in problems:
                print(f"  {problem}", flush=True)
    print(f"{total} faults, {bad} that something did not bear")
    sys.exit(1 if bad or not total else 0)


if __name__ == "__main__":
    main()
