"""A WebSocket peer by python websockets: `peer.py server` or `peer.py client URL`.

What it sees it prints, one JSON object a line; tests/tests/interop.rs reads that. The same as peer.mjs.
"""

import asyncio
import contextlib
import json
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

MIB = 1 << 20
MESSAGES = {
    "text": "grüße 🚢",
    "binary": bytes(range(256)),
    "empty text": "",
    "empty binary": b"",
    "large text": "ü" * (MIB // 2),
    "large binary": bytes(i % 251 for i in range(MIB)),
    # A list is sent in fragments: no boundary is inside a character, and one fragment is empty.
    "text in fragments": ["gr", "", "üße", " 🚢"],
    "binary in fragments": [b"\0" * 1000, b"", b"\1" * 100_000],
}


def tell(**what):
    print(json.dumps(what), flush=True)


def whole(message):
    return type(message[0])().join(message) if isinstance(message, list) else message


async def client(url):
    async with connect(url + "/echo", max_size=2 * MIB) as socket:
        for name, message in MESSAGES.items():
            await socket.send(message)
            answer = await socket.recv()
            tell(echoed=name, same=answer == whole(message))
        await (await socket.ping("are you there"))
        tell(pong=True)
        await socket.close(4001, "tschüß")
        tell(closed=[socket.close_code, socket.close_reason])
    async with connect(url + "/close") as socket:
        await socket.wait_closed()
        tell(closed=[socket.close_code, socket.close_reason])
    async with connect(url + "/echo") as socket:
        await socket.close()
        tell(closed=[socket.close_code, socket.close_reason])


async def handle(socket):
    if socket.request.path == "/close":
        await (await socket.ping("are you there"))
        tell(pong=True)
        await socket.close(4002, "schöner Gruß")
    else:
        # A code other than 1000 and 1001 is an exception there.
        with contextlib.suppress(ConnectionClosed):
            async for message in socket:
                await socket.send(message)
    await socket.wait_closed()
    tell(closed=[socket.close_code, socket.close_reason])


async def server():
    async with serve(handle, "127.0.0.1", 0, max_size=2 * MIB) as listening:
        tell(port=listening.sockets[0].getsockname()[1])
        await listening.serve_forever()


asyncio.run(server() if sys.argv[1] == "server" else client(sys.argv[2]))
