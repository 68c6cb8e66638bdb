"""A file in messages of 256 KiB by websockets: ws.py serve PORT FILE | send PORT FILE"""

import asyncio
import signal
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

PIECE = 256 << 10


async def take(socket, file):
    with open(file, "wb") as out:
        async for message in socket:
            if message == "end":
                break
            out.write(message)
    await socket.send("done")


async def run_server(port, file):
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with serve(lambda socket: take(socket, file), "127.0.0.1", port, compression=None, max_size=None):
        await stop.wait()


async def send(port, file):
    async with connect(f"ws://127.0.0.1:{port}", compression=None, max_size=None) as socket:
        with open(file, "rb") as source:
            while piece := source.read(PIECE):
                await socket.send(piece)
        await socket.send("end")
        await socket.recv()


role, port, file = sys.argv[1:]
asyncio.run((run_server if role == "serve" else send)(int(port), file))
