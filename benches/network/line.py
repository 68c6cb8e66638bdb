"""A line between two network namespaces that is far, slow and loses packets. far.py starts it.

line.py CLIENT SERVER MBIT RTT QUEUE LOSS SEED

Both ends are TUN devices, 10.91.3.1 in the namespace CLIENT and 10.91.3.2 in SERVER. Each way carries MBIT Mbit/s, and what comes
faster waits, up to QUEUE ms of it; beyond, it is dropped. LOSS percent of the packets are lost, by dice of this SEED, and half of RTT
ms later the others come out. Prints a line when it is up, and runs until it is killed.
"""

import collections
import fcntl
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 1, 0x1000
# The size of an Ethernet packet, and of what surrounds it in a frame.
MTU, AROUND = 1500, 38


class Way:
    """One direction, from the device that is read to the one that is written."""

    def __init__(self, source, sink, mbit, delay, queue, loss, dice):
        self.source, self.sink, self.delay, self.queue, self.loss, self.dice = source, sink, delay, queue, loss, dice
        self.seconds_per_byte = 8 / (mbit * 1e6)
        self.free_at, self.flying = 0, collections.deque()

    def take(self):
        """Whatever has been sent sets off, unless it is lost."""
        for _ in range(64):
            try:
                packet = os.read(self.source, 2048)
            except BlockingIOError:
                return
            now = time.monotonic()
            self.free_at = max(self.free_at, now)
            if self.dice.random() < self.loss or self.free_at - now > self.queue:
                continue
            self.free_at += (len(packet) + AROUND) * self.seconds_per_byte
            self.flying.append((self.free_at + self.delay, packet))

    def give(self):
        """What is due comes out. Returns the seconds until something is."""
        while self.flying:
            left = self.flying[0][0] - time.monotonic()
            if left > 0:
                return left
            os.write(self.sink, self.flying.popleft()[1])
        return None


def device(number, namespace):
    """A TUN device in a namespace: it goes there, and what was opened here stays open."""
    name, address = f"line{number}", f"10.91.3.{number}/24"
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", f"{name}-{os.getpid()}"[:15].encode(), IFF_TUN | IFF_NO_PI))
    ip = ["ip", "link", "set", f"{name}-{os.getpid()}"[:15]]
    subprocess.run([*ip, "netns", namespace, "name", name], check=True)
    subprocess.run(["ip", "-n", namespace, "addr", "add", address, "dev", name], check=True)
    subprocess.run(["ip", "-n", namespace, "link", "set", name, "mtu", str(MTU), "txqueuelen", "10000", "up"], check=True)
    return tun


def main():
    client, server, mbit, rtt, queue, loss, seed = sys.argv[1:]
    ends = device(1, client), device(2, server)
    dice = random.Random(int(seed))
    path = float(mbit), float(rtt) / 2000, float(queue) / 1000, float(loss) / 100, dice
    ways = Way(*ends, *path), Way(*reversed(ends), *path)
    print("up", flush=True)
    while True:
        waits = [left for left in [way.give() for way in ways] if left is not None]
        select.select(ends, [], [], min(waits, default=None))
        for way in ways:
            way.take()


main()
