"""One file, or a folder of many small ones, over loopback by many programs, in turn. Run by benches/files/run."""

import argparse
import csv
import filecmp
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PATIENCE = 20


class Round:
    """A folder, the file or the folder to send, and where it is to arrive."""

    def __init__(self, folder, file, options):
        self.folder, self.file, self.options = folder, file, options
        # Before anything is timed.
        self.sent = [path for path in file.rglob("*") if path.is_file()] if file.is_dir() else [file]
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        self.port = free_port()

    @property
    def arrived(self):
        """Pairs of a file that was sent, and the one that arrived in its place, if one has."""
        if self.file.is_dir():
            return [(path, self.inbox / path.relative_to(self.file.parent)) for path in self.sent]
        files = [path for path in self.inbox.rglob("*") if path.is_file() and path.stat().st_size == self.file.stat().st_size]
        return [(self.file, files[0] if files else None)]

    @property
    def is_whole(self):
        return all(there and there.is_file() and filecmp.cmp(file, there, shallow=False) for file, there in self.arrived)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# Each of these returns the command of a server and that of a client.


def bowline(round):
    program = round.options.bowline
    server = [program, "serve", "--listen", f"127.0.0.1:{round.port}", "--dir", round.inbox, "--quiet"]
    return server, [program, "send", "--quiet", round.file, f"ws://127.0.0.1:{round.port}"]


def raw(round):
    address = f"127.0.0.1:{round.port}"
    server = [round.options.raw, "serve", address, round.inbox / "file"]
    return server, [round.options.raw, "send", address, round.file]


def checked(round):
    address = f"127.0.0.1:{round.port}"
    server = [round.options.checked, "serve", address, round.inbox / "file"]
    return server, [round.options.checked, "send", address, round.file]


def curl(round):
    config = round.folder / "nginx.conf"
    (round.folder / "tmp").mkdir()
    config.write_text(
        f"""daemon off; master_process on; worker_processes 1; user root; pid {round.folder}/pid; error_log {round.folder}/error.log;
        events {{}}
        http {{
          access_log off; client_body_temp_path {round.folder}/tmp; client_max_body_size 0;
          keepalive_requests 1000000;
          server {{ listen 127.0.0.1:{round.port}; location / {{ root {round.inbox}; dav_methods PUT; create_full_put_path on; }} }}
        }}"""
    )
    nginx, url = shutil.which("nginx") or "/usr/sbin/nginx", f"http://127.0.0.1:{round.port}"
    if not round.file.is_dir():
        return [nginx, "-c", config], ["curl", "-sS", "-f", "-T", round.file, f"{url}/file"]
    uploads = round.folder / "uploads"
    entries = (f'upload-file = "{path}"\nurl = "{url}/{path.relative_to(round.file.parent)}"\n' for path in round.sent)
    uploads.write_text("".join(entries))
    return [nginx, "-c", config], ["curl", "-sS", "-f", "-K", uploads]


def rsync(round):
    config = round.folder / "rsyncd.conf"
    config.write_text(
        f"use chroot = no\nuid = {os.getuid()}\ngid = {os.getgid()}\n[inbox]\n  path = {round.inbox}\n  read only = no\n"
    )
    server = ["rsync", "--daemon", "--no-detach", "--address", "127.0.0.1", "--port", str(round.port), "--config", config]
    to = f"rsync://127.0.0.1:{round.port}/inbox/" + ("" if round.file.is_dir() else "file")
    return server, ["rsync", "--whole-file", "--recursive", round.file, to]


def scp(round):
    keys = round.folder / "keys"
    keys.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name], check=True)
    shutil.copy(keys / "user.pub", keys / "authorized")
    if os.getuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)
    sshd = shutil.which("sshd") or "/usr/sbin/sshd"
    settings = [f"AuthorizedKeysFile={keys}/authorized", "StrictModes=no", "UsePAM=no", f"PidFile={round.folder}/pid"]
    settings += ["ListenAddress=127.0.0.1", "Subsystem=sftp internal-sftp", "PermitRootLogin=yes", f"HostKey={keys}/host"]
    server = [sshd, "-D", "-f", "/dev/null", "-p", str(round.port)] + [word for one in settings for word in ("-o", one)]
    client = ["scp", "-q", "-F", "/dev/null", "-P", str(round.port), "-i", keys / "user", "-o", "StrictHostKeyChecking=no"]
    to = round.inbox if round.file.is_dir() else round.inbox / "file"
    client += ["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-r", round.file, f"127.0.0.1:{to}"]
    return server, client


def tus(round):
    peer = ["node", HERE / "tus.mjs"]
    return [*peer, "serve", str(round.port), round.inbox], [*peer, "send", str(round.port), round.file]


def node(round):
    peer = ["node", HERE / "ws.mjs"]
    return [*peer, "serve", str(round.port), round.inbox / "file"], [*peer, "send", str(round.port), round.file]


def python(round):
    peer = [round.options.interop / "python/bin/python", HERE / "ws.py"]
    return [*peer, "serve", str(round.port), round.inbox / "file"], [*peer, "send", str(round.port), round.file]


CONTENDERS = {
    "raw": ("raw TCP, 256 KiB buffers", raw),
    "checked": ("raw TCP, CRC32C and BLAKE3 of both ends", checked),
    "bowline": ("bowline: CRC32C and BLAKE3", bowline),
    "curl+nginx": ("curl to nginx (dav)", curl),
    "rsync": ("rsync daemon, whole file", rsync),
    "scp": ("scp", scp),
    "tus": ("tus (node), one PATCH", tus),
    "node": ("node ws, 256 KiB", node),
    "python": ("python websockets, 256 KiB", python),
}
# Those that can send a folder.
OF_FOLDERS = ["bowline", "curl+nginx", "rsync", "scp"]


def is_listening(port):
    """Looks without a connection, since some serve only one."""
    wanted = f":{port:04X} "
    return any(wanted in line and " 0A " in line for line in Path("/proc/net/tcp").read_text().splitlines()[1:])


def watched(words, peak):
    """The command, below a small program that writes down how much memory it took at the most: what this process here takes
    would count as its own."""
    return ["/usr/bin/time", "-q", "-f", "%M", "-o", peak, *(str(word) for word in words)]


def stop(wrapper):
    """Ends what a watched command has started, unless it has ended."""
    children = Path(f"/proc/{wrapper.pid}/task/{wrapper.pid}/children")
    for child in children.read_text().split():
        os.kill(int(child), signal.SIGTERM)


def mib(peak):
    return int(Path(peak).read_text().split()[-1]) / 1024


def measure(make, file, options):
    """Seconds, of processors too, and MiB at the most of client and server."""
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="bowline-files.") as folder:
        round = Round(Path(folder), file, options)
        server_words, client_words = make(round)
        # Everything that is stored between runs is stored in this folder.
        environment = dict(os.environ, BOWLINE_STATE_DIR=f"{folder}/state", NODE_PATH=f"{options.interop}/node/node_modules")
        environment["INTEROP"] = str(options.interop)
        with open(f"{folder}/log", "w") as log:
            quiet = {"stdout": log, "stderr": log, "env": environment}
            server = subprocess.Popen(watched(server_words, f"{folder}/server"), **quiet)
            until = time.monotonic() + PATIENCE
            while not is_listening(round.port):
                if time.monotonic() > until or server.poll() is not None:
                    raise RuntimeError(f"no server: {Path(folder, 'log').read_text()}")
                time.sleep(0.01)
            start = time.monotonic()
            client = subprocess.Popen(watched(client_words, f"{folder}/client"), **quiet)
            _, status, of_client = os.wait4(client.pid, 0)
            client.returncode = status
            if status == 0 and not options.is_memory:
                for _, there in round.arrived:
                    if there and there.is_file():
                        with open(there, "rb") as arrived:
                            os.fsync(arrived.fileno())
            wall = time.monotonic() - start
            stop(server)
            _, server.returncode, of_server = os.wait4(server.pid, 0)
        if status != 0:
            raise RuntimeError(f"the client failed: {Path(folder, 'log').read_text()}")
        if not round.is_whole:
            raise RuntimeError("what arrived is not what was sent")
        peaks = {role: mib(f"{folder}/{role}") for role in ("client", "server")}
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in (of_client, of_server))
    return {"wall": wall, "cpu": cpu, **peaks}


def fill(path, options):
    """What is sent: a file of random bytes, or a folder of folders of a hundred."""
    if not options.files:
        with open(path, "wb") as out:
            for _ in range(options.mib):
                out.write(os.urandom(1 << 20))
        return
    for n in range(options.files):
        folder = path / f"{n // 100}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{n}").write_bytes(os.urandom(options.kib << 10))


def main():
    words = sys.argv[1:]
    split = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser()
    parser.add_argument("--bowline")
    parser.add_argument("--raw")
    parser.add_argument("--checked")
    parser.add_argument("--interop", type=Path)
    parser.add_argument("--have", nargs="*", default=[])
    options = parser.parse_args(words[:split])
    more = argparse.ArgumentParser(prog="benches/files/run")
    more.add_argument("--mib", type=int)
    more.add_argument("--files", type=int, help="so many small files instead")
    more.add_argument("--kib", type=int, default=4, help="how long each of them is")
    more.add_argument("--rounds", type=int)
    more.add_argument("--dir", default="/dev/shm")
    more.add_argument("--only", nargs="*", choices=CONTENDERS)
    more.add_argument("--quick", action="store_true")
    more.add_argument("--out", type=Path, help="a file without its ending: .md and .csv are written")
    more.parse_args(words[split + 1 :], namespace=options)
    options.mib = options.mib or (128 if options.quick else 1024)
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.dir = os.path.realpath(options.dir)
    kind = subprocess.run(["stat", "-f", "-c", "%T", options.dir], capture_output=True, text=True).stdout.strip()
    options.is_memory = kind in ("tmpfs", "ramfs")

    names = [name for name in CONTENDERS if name in options.have and (not options.only or name in options.only)]
    names = [name for name in names if not options.files or name in OF_FOLDERS]
    results = {name: [] for name in names}
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="bowline-files.") as folder:
        file = Path(folder, "file")
        fill(file, options)
        for _ in range(options.rounds):
            for name in names:
                try:
                    results[name].append(measure(CONTENDERS[name][1], file, options))
                except RuntimeError as error:
                    print(f"{name}: {error}", file=sys.stderr)
                if not options.is_memory:
                    os.sync()
    tell(results, kind, options)


def tell(results, kind, options):
    def median(name, key):
        return statistics.median(round[key] for round in results[name])

    def ratio(name, other, key):
        pairs = zip(results[name], results.get(other, []))
        ratios = [mine[key] / its[key] for mine, its in pairs]
        return f"{statistics.median(ratios):.2f}" if ratios else "-"

    sent = f"A folder of {options.files} files of {options.kib} KiB" if options.files else f"A file of {options.mib} MiB"
    # Raw TCP sends no names, so it cannot send a folder.
    least = "rsync" if options.files else "raw"
    of_least = "of rsync" if options.files else "of raw TCP"
    what = "memory" if options.is_memory else "a disk, until it is there"
    lines = [
        f"# {sent} over loopback, into {what} ({kind})",
        "",
        f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, Linux {platform.release()}, {os.cpu_count()} processors, load average "
        f"{os.getloadavg()[0]:.1f} at the end. Medians of {options.rounds} rounds in turn; ratios within rounds.",
        "",
        f"| | wall s | {of_least} | of curl to nginx | CPU s of both | {of_least} | peak MiB, client / server |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, rounds in results.items():
        if rounds:
            cells = [f"{median(name, 'wall'):.2f}", ratio(name, least, "wall"), ratio(name, "curl+nginx", "wall")]
            cells += [f"{median(name, 'cpu'):.2f}", ratio(name, least, "cpu")]
            cells += [f"{median(name, 'client'):.0f} / {median(name, 'server'):.0f}"]
            lines.append(f"| {CONTENDERS[name][0]} | " + " | ".join(cells) + " |")
    print("\n".join(lines))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.with_suffix(".md").write_text("\n".join(lines) + "\n")
        with open(options.out.with_suffix(".csv"), "w", newline="") as out:
            table = csv.writer(out)
            table.writerow(["contender", "round", "wall_s", "cpu_s", "client_mib", "server_mib"])
            for name, rounds in results.items():
                for n, round in enumerate(rounds):
                    table.writerow([name, n, *(f"{round[key]:.4f}" for key in ("wall", "cpu", "client", "server"))])


main()
