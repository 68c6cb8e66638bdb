"""A bad path between two network namespaces of this machine: a TUN device in each, and a thread here that carries the packets.

10.91.4.1 is in the namespace "c", behind a NAT if there is one, and 10.91.4.2 in "s". Needs root, `ip` and /dev/net/tun.
Every field of a `Way` may be changed while packets are under way.
"""

import contextlib
import fcntl
import heapq
import os
import random
import select
import struct
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "benches/network"))
from namespaces import Namespaces, sh  # noqa: E402

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 1, 0x1000
CLIENT, SERVER = "10.91.4.1", "10.91.4.2"
SYN, RST = 2, 4

# Of TCP; `carries` is the number of data bytes.
Segment = namedtuple("Segment", "source sink sequence acknowledged flags carries")


def segment(packet):
    """The segment of TCP in a packet; None if there is none."""
    if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != 6:
        return None
    start = (packet[0] & 15) * 4
    *head, offset, flags = struct.unpack_from("!HHIIBB", packet, start)
    return Segment(*head, flags, len(packet) - start - (offset >> 4) * 4)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def reset(packet):
    """The reset that answers a packet, as if its receiver knew nothing of the connection."""
    asked, source, sink = segment(packet), packet[16:20], packet[12:16]
    tcp = struct.pack("!HHIIBBHHH", asked.sink, asked.source, asked.acknowledged, 0, 5 << 4, RST, 0, 0, 0)
    sum_ = checksum(source + sink + struct.pack("!HH", 6, len(tcp)) + tcp)
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0x4000, 64, 6, 0) + source + sink
    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + tcp[:16] + struct.pack("!H", sum_) + tcp[18:]


class Way:
    """One direction. Rates are bytes a second, times seconds, and what happens to a packet by lot has a probability."""

    def __init__(self, delay=0.05, jitter=0.0, rate=None, queue=64_000, loss=0.0, burst=1, reorder=0.0, twice=0.0):
        self.delay, self.jitter, self.reorder, self.twice = delay, jitter, reorder, twice
        # When more bytes than this are queued, packets are dropped.
        self.rate, self.queue = rate, queue
        # The average length of a burst of lost packets.
        self.loss, self.burst, self.is_losing = loss, burst, False
        self.hole, self.mtu, self.dice = False, 1500, random.Random(1)
        self.free_at, self.last, self.flying, self.count = 0.0, 0.0, [], 0
        # When data left the path.
        self.arrived = []

    def take(self, packet):
        """A packet sets off, unless it is lost."""
        now = time.monotonic()
        self.free_at = max(self.free_at, now)
        waiting = (self.free_at - now) * (self.rate or 0)
        if self.hole or len(packet) > self.mtu or self.is_lost() or waiting > self.queue:
            return
        self.free_at += len(packet) / self.rate if self.rate else 0
        # Jitter alone does not reorder packets.
        self.last = max(self.last, self.free_at + self.delay + self.dice.random() * self.jitter)
        for _ in range(2 if self.dice.random() < self.twice else 1):
            self.count += 1
            late = self.delay if self.dice.random() < self.reorder else 0
            heapq.heappush(self.flying, (self.last + late, self.count, packet))

    def is_lost(self):
        starts = self.loss / (1 - self.loss) / self.burst
        self.is_losing = self.dice.random() < (1 - 1 / self.burst if self.is_losing else starts)
        return self.is_losing

    def due(self):
        """What comes out by now; a hole swallows what is on its way, too."""
        while self.flying and self.flying[0][0] <= time.monotonic():
            packet = heapq.heappop(self.flying)[2]
            if not self.hole:
                yield packet


class Nat:
    """Forgets a connection that was silent for `patience` seconds: what comes then is dropped, or answered by a reset."""

    def __init__(self, patience=1e9, resets=False):
        self.patience, self.resets = patience, resets
        # When a connection's last packet arrived, by the port of its client.
        self.seen = {}

    def forget(self):
        self.seen = dict.fromkeys(self.seen, -1e9)

    def passes(self, port, flags):
        now = time.monotonic()
        knows = flags & SYN or now - self.seen.get(port, now) < self.patience
        self.seen[port] = now if knows else -1e9
        return knows


class BadPath(Namespaces):
    """The path: `up` from the client to the server, `down` back."""

    def __init__(self, up, down, nat):
        super().__init__("bad", "cs")
        self.up, self.down, self.nat = up, down, nat
        self.tuns, self.is_over = [], False
        self.carrier = threading.Thread(target=self.carry, daemon=True)

    def __enter__(self):
        super().__enter__()
        try:
            self.tuns = [self.device(role, address) for role, address in (("c", CLIENT), ("s", SERVER))]
        except BaseException:
            super().__exit__()
            raise
        self.carrier.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.carrier.join()
        super().__exit__()
        for tun in self.tuns:
            os.close(tun)

    def device(self, role, address):
        """A TUN device: it goes to its namespace, and what was opened here stays open."""
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        here, there = f"bad{os.getpid()}{role}", self.names[role]
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", here.encode(), IFF_TUN | IFF_NO_PI))
        sh("ip", "link", "set", here, "netns", there, "name", "bad")
        sh("ip", "-n", there, "addr", "add", f"{address}/24", "dev", "bad")
        sh("ip", "-n", there, "link", "set", "bad", "mtu", "1500", "txqueuelen", "10000", "up")
        return tun

    def carry(self):
        client, server = self.tuns
        ways = (self.up, client, server), (self.down, server, client)
        while not self.is_over:
            waits = [way.flying[0][0] - time.monotonic() for way in (self.up, self.down) if way.flying]
            select.select(self.tuns, [], [], max(0, min([*waits, 0.05])))
            for way, source, sink in ways:
                for packet in packets(source):
                    self.admit(way, packet, source)
                for packet in way.due():
                    if segment(packet).carries:
                        way.arrived.append(time.monotonic())
                    write(sink, packet)

    def admit(self, way, packet, source):
        said = segment(packet)
        # Nothing but TCP crosses.
        if said is None:
            return
        port = said.source if way is self.up else said.sink
        if self.nat.passes(port, said.flags):
            way.take(packet)
        elif self.nat.resets and not said.flags & RST:
            write(source, reset(packet))

    def hole(self, is_one, *ways):
        for way in ways or (self.up, self.down):
            way.hole = is_one


def packets(tun):
    """Up to 64 packets that wait there."""
    with contextlib.suppress(BlockingIOError):
        for _ in range(64):
            yield os.read(tun, 2048)


def write(tun, packet):
    # A device that goes down meanwhile accepts no packet.
    with contextlib.suppress(OSError):
        os.write(tun, packet)
