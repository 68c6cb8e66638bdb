"""What the tests of the Python implementation share: a folder, and a program of ours, the first argument."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import unittest
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from websockets.asyncio.server import Server

LIMIT = 30.0  # seconds for one exchange, which takes one


class Case(unittest.IsolatedAsyncioTestCase):
    program = ""

    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)
        self.dir = Path(self.enterContext(tempfile.TemporaryDirectory()))

    @contextlib.asynccontextmanager
    async def server(self, *args: str | Path, **env: str) -> AsyncIterator[str]:
        """The program as a server, whose first line ends in its URL."""
        async with self.running(*args, **env) as server, asyncio.timeout(LIMIT):
            yield (await server.stdout.readline()).decode().split()[-1]

    @contextlib.asynccontextmanager
    async def running(self, *args: str | Path, **env: str) -> AsyncIterator[asyncio.subprocess.Process]:
        program = await self.start(*args, **env)
        try:
            yield program
        finally:
            # Its own `terminate` first checks whether it has ended, and then asyncio wonders where it is.
            if program.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(program.pid, signal.SIGTERM)
            await program.communicate()

    async def start(self, *args: str | Path, **env: str) -> asyncio.subprocess.Process:
        env = {**os.environ, "BOWLINE_STATE_DIR": str(self.dir / "state"), **env}
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(self.program, *args, env=env, stdout=pipe, stderr=pipe)

    async def until(self, is_so: Callable[[], object]) -> None:
        while not is_so():
            await asyncio.sleep(0.001)


def url_of(server: Server) -> str:
    return f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def main() -> None:
    Case.program = sys.argv.pop(1)
    unittest.main(verbosity=2)
