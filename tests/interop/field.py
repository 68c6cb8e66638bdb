"""A sender or a receiver by python websockets, for the programs of tests/tests/field.

field.py receive INTERVAL TIMEOUT DELAY            a server that takes DELAY seconds over each message
field.py send URL INTERVAL TIMEOUT SECONDS SIZE    sends messages of SIZE bytes as fast as they are taken
field.py idle INTERVAL TIMEOUT                     a server that sends everything back

An INTERVAL of 0 is no heartbeat. What happens is printed, one JSON object a line.
"""

import asyncio
import json
import os
import sys
import time

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


def tell(**what):
    print(json.dumps(what), flush=True)


def heartbeat(interval, timeout):
    interval, timeout = float(interval), float(timeout)
    return {"ping_interval": interval or None, "ping_timeout": timeout if interval else None}


async def send(url, interval, timeout, seconds, size):
    message, sent = bytes(int(size)), 0
    socket = await connect(url, compression=None, **heartbeat(interval, timeout))
    start = time.monotonic()
    end = None
    try:
        while time.monotonic() - start < float(seconds):
            await socket.send(message)
            sent += len(message)
    except Exception as error:  # Not always ConnectionClosed.
        end = f"{type(error).__name__}: {error}"
    tell(after=round(time.monotonic() - start, 1), end=end, bytes=sent)
    # Sending what is still queued would take too long.
    os._exit(0)


async def listen(handle, interval, timeout):
    # With the default queue, it stops reading at 16 frames and resumes at 4. So a receiver that takes 0.4 s for each
    # frame is silent for 4.8 s at a time, which no timeout of 1 s would survive.
    options = {"compression": None, "max_size": None, "max_queue": 1}
    async with serve(handle, "127.0.0.1", 0, **options, **heartbeat(interval, timeout)) as server:
        tell(port=server.sockets[0].getsockname()[1])
        await server.serve_forever()


async def receive(interval, timeout, delay):
    async def handle(socket):
        received, start = 0, time.monotonic()
        try:
            async for message in socket:
                received += len(message)
                if float(delay):
                    await asyncio.sleep(float(delay))
            end = None
        except ConnectionClosed as closed:
            end = str(closed)
        tell(after=round(time.monotonic() - start, 1), end=end, bytes=received)

    await listen(handle, interval, timeout)


async def idle(interval, timeout):
    async def handle(socket):
        start = time.monotonic()
        try:
            async for message in socket:
                await socket.send(message)
            end = None
        except ConnectionClosed as closed:
            end = str(closed)
        tell(after=round(time.monotonic() - start, 1), end=end)

    await listen(handle, interval, timeout)


asyncio.run({"send": send, "receive": receive, "idle": idle}[sys.argv[1]](*sys.argv[2:]))
