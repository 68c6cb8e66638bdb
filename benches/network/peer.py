"""The ends of a measurement over a slow network, by python websockets.

peer.py serve ADDRESS PORT             takes messages, and prints how many bytes have come, ten times a second
peer.py send URL SIZE SECONDS          sends messages of SIZE bytes for so long, yields between them, and pings ten times
                                       a second; prints a line of JSON: what the pings took, in seconds, the age of those
                                       that are not answered, and why the connection ended, if it did
peer.py relay ADDRESS PORT HOST PORT BYTES   forwards a connection, and holds so many bytes in each direction
"""

import asyncio
import json
import os
import socket
import sys
import threading
import time


async def serve(address, port):
    from websockets.asyncio.server import serve as listen

    received = 0

    async def handle(connection):
        nonlocal received
        async for message in connection:
            received += len(message)

    async with listen(handle, address, int(port), compression=None, max_size=None):
        while True:
            print(received, flush=True)
            await asyncio.sleep(0.1)


async def send(url, size, seconds):
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed

    # The default keepalive: an interval of 20 s, and 20 s for the answer.
    connection = await connect(url, compression=None, max_size=None, open_timeout=10)
    message, start, end = bytes(int(size)), time.monotonic(), None
    answered, waiting = [], {}

    async def ping():
        try:
            while True:
                asked = time.monotonic()
                pong = await connection.ping()
                waiting[pong] = asked
                pong.add_done_callback(note)
                await asyncio.sleep(0.1)
        except ConnectionClosed:
            pass

    def note(pong):
        asked = waiting.pop(pong)
        if not pong.cancelled() and pong.exception() is None:
            answered.append(time.monotonic() - asked)

    pings = asyncio.create_task(ping())
    try:
        while time.monotonic() - start < float(seconds):
            await asyncio.wait_for(connection.send(message), float(seconds) - (time.monotonic() - start))
            await asyncio.sleep(0)
    except asyncio.TimeoutError:
        pass
    except ConnectionClosed as closed:
        end = f"{closed} after {time.monotonic() - start:.0f} s"
    pings.cancel()
    now = time.monotonic()
    result = {"pings": answered, "unanswered": [now - asked for asked in waiting.values()], "end": end}
    print(json.dumps(result), flush=True)
    # Sending what is still queued would take too long.
    os._exit(0)


class Direction:
    """One way through the relay: a thread that reads as far as the buffer goes, and one that writes."""

    def __init__(self, source, sink, most):
        self.pieces, self.held, self.ended = [], 0, False
        self.most, self.source, self.sink = most, source, sink
        self.changed = threading.Condition()
        for work in (self.read, self.write):
            threading.Thread(target=work, daemon=True).start()

    def read(self):
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.held < self.most)
            try:
                piece = self.source.recv(65536)
            except OSError:
                piece = b""
            with self.changed:
                self.pieces.append(piece)
                self.held += len(piece)
                self.changed.notify_all()
            if not piece:
                return

    def write(self):
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.pieces)
                piece = self.pieces.pop(0)
            try:
                if not piece:
                    return self.sink.shutdown(socket.SHUT_WR)
                self.sink.sendall(piece)
            except OSError:
                return self.source.close()
            with self.changed:
                self.held -= len(piece)
                self.changed.notify_all()


def relay(address, port, host, to, most):
    listener = socket.create_server((address, int(port)))
    while True:
        client, _ = listener.accept()
        server = socket.create_connection((host, int(to)))
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Direction(client, server, int(most))
        Direction(server, client, int(most))


if __name__ == "__main__":
    role, *words = sys.argv[1:]
    if role == "relay":
        relay(*words)
    else:
        asyncio.run({"serve": serve, "send": send}[role](*words))
