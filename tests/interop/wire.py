"""The frames of `bowline.v1` and their links, for files.py and messages.py. § is of PROTOCOL.md."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from crc32c import crc32c
from websockets.asyncio.client import connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

SUBPROTOCOL = Subprotocol("bowline.v1")
LARGEST = 64 << 10  # the longest payload that is accepted here
MEMORY = 16 << 20
LONGEST = (1 << 20) + (64 << 10) + 64  # no frame is longer: a message (§8.1), its fields and what is around
MAY_BE_IGNORED = 0x80  # types from here on (§1)
MAY_BE_UNKNOWN = 0x8000  # fields from here on
OFFERED_BEFORE = 16  # a flag in the header of REQUEST
TO_THE_END = 2**64 - 1
NAME, VALIDATOR, BATCH, KIND, AGENT, TEXT = 0x0020, 0x0022, 0x0024, 0x002A, 0x8001, 0x8010
LISTING = b"\2"  # a kind, of REQUEST and of OFFER
MESSAGES = 1  # a feature: sessions of messages (§8)


class Kind(IntEnum):
    """Types of frames (§2)."""

    HELLO, GOAWAY, ERROR, PROBE, PROBE_ACK = 0x01, 0x02, 0x03, 0x04, 0x05
    OFFER, REQUEST, ACCEPT = 0x10, 0x11, 0x12
    DATA, FIN = 0x20, 0x21
    ACK, DONE, FINISHING = 0x30, 0x31, 0x32
    PAUSE, RESUME, CANCEL = 0x40, 0x41, 0x42


class Msg(IntEnum):
    """Types of frames of messages (§8.1)."""

    DATA, ACK, RESUME, RESUMED, NEWSESSION = 0x50, 0x51, 0x52, 0x53, 0x54


OF_MESSAGES = range(0x50, 0x60)


class Code(IntEnum):
    """Why a transfer or a link ends (§6); those that are used here."""

    INTERNAL, PROTOCOL, UNSUPPORTED, NOT_FOUND, FENCED = 1, 2, 3, 4, 7
    SOURCE_CHANGED, CORRUPT_FRAME, DIGEST_MISMATCH, BAD_OFFSET = 12, 13, 14, 15
    CANCELLED, LENGTH_MISMATCH, NAME_INVALID, EXISTS = 16, 20, 22, 24


class Layout:
    """The fixed part of a type: the names of its fields, and what the module `struct` calls their types."""

    def __init__(self, text: str):
        fields = [part.split(":") for part in text.split()]
        self.struct = struct.Struct(">" + "".join(kind for _, kind in fields))
        self.zeros = {name: b"" if kind.endswith("s") else 0 for name, kind in fields}

    def pack(self, fixed: dict[str, Any]) -> bytes:
        return self.struct.pack(*{**self.zeros, **fixed}.values())

    def unpack(self, message: bytes) -> dict[str, Any]:
        return dict(zip(self.zeros, self.struct.unpack_from(message, HEADER.size)))


HEADER = struct.Struct(">BBHI")
TLV = struct.Struct(">HH")
FIXED: dict[int, Layout] = {
    Kind.HELLO: Layout(
        "lowest:B highest:B rsv:H largest:I transfers:I offers:I memory:Q features:Q instance:16s"
    ),
    Kind.GOAWAY: Layout("code:I after:I rsv:8s"),
    Kind.ERROR: Layout("code:I rsv:I"),
    Kind.PROBE: Layout("anything:Q"),
    Kind.PROBE_ACK: Layout("anything:Q"),
    Kind.OFFER: Layout("id:16s length:Q modified:q algorithm:B mode:B priority:H epoch:I digest:32s"),
    Kind.REQUEST: Layout("id:16s from:Q to:Q zeros:32s"),
    Kind.ACCEPT: Layout("resume:Q credit:Q largest:I epoch:I expires:Q delay:I have:B rsv:3s digest:32s"),
    Kind.DATA: Layout("offset:Q sequence:I"),
    Kind.FIN: Layout("length:Q digest:32s rsv:I"),
    Kind.ACK: Layout("received:Q durable:Q credit:Q sequence:I held:I rewind:I"),
    Kind.DONE: Layout("length:Q digest:32s there:I"),
    Kind.FINISHING: Layout("phase:I rsv:I"),
    Kind.PAUSE: Layout("offset:Q answer:I"),
    Kind.RESUME: Layout("offset:Q heard:I"),
    Kind.CANCEL: Layout("code:I after:I durable:Q discard:I"),
    Msg.DATA: Layout("number:Q last:Q form:B rsv:11s"),
    Msg.ACK: Layout("last:Q"),
    Msg.RESUME: Layout("session:16s secret:16s epoch:I messages:I bytes:I rsv:I last:Q"),
    Msg.RESUMED: Layout("epoch:I messages:I bytes:I keep:I secret:16s last:Q"),
    Msg.NEWSESSION: Layout("why:I after:I"),
}


@dataclass
class Frame:
    """One frame. Fields that are not named are zero."""

    kind: int
    handle: int = 0
    fixed: dict[str, Any] = field(default_factory=dict)
    tlvs: dict[int, bytes] = field(default_factory=dict)
    payload: bytes = b""
    flags: int = 0
    is_damaged: bool = False  # a DATA with a wrong checksum: its header may be wrong, too

    def __getitem__(self, name: str) -> Any:
        return self.fixed[name]

    @property
    def text(self) -> str:
        return self.tlvs.get(TEXT, b"").decode(errors="replace")

    def encode(self) -> bytes:
        tlvs = b"".join(TLV.pack(kind, len(value)) + value for kind, value in self.tlvs.items())
        header = HEADER.pack(self.kind, self.flags, len(tlvs), self.handle)
        body = header + FIXED[self.kind].pack(self.fixed) + tlvs + self.payload
        return body + crc32c(body).to_bytes(4, "big")


class LinkLost(Exception):
    """The link has ended; what was under way on it may be offered again on another."""


class Cancelled(Exception):
    """A transfer has ended early, by a CANCEL of either side."""

    def __init__(self, code: int, text: str, discard: bool = False):
        super().__init__(f"{code}: {text}")
        self.code, self.discard = code, discard


class Broken(Exception):
    """The peer has broken the protocol, or the path a frame: the link must end (§7)."""

    def __init__(self, code: Code, text: str):
        super().__init__(text)
        self.code, self.text = code, text


def decode(message: bytes) -> Frame | None:
    """A message as a frame; `None` is one that may be ignored (§1)."""
    if len(message) < HEADER.size + 4:
        raise Broken(Code.PROTOCOL, f"{len(message)} bytes are too few")
    kind, flags, tlvs_len, handle = HEADER.unpack_from(message)
    layout = FIXED.get(kind)
    at = HEADER.size + (layout.struct.size if layout else 0)
    end = at + tlvs_len
    is_whole = len(message) >= end + 4
    is_damaged = crc32c(message[:-4]) != int.from_bytes(message[-4:], "big")
    if is_damaged and (kind != Kind.DATA or not is_whole):
        raise Broken(Code.CORRUPT_FRAME, f"type {kind:#04x}: the checksum does not fit")
    if layout is None:
        return None if kind >= MAY_BE_IGNORED else Frame(kind, handle)
    if not is_whole:
        raise Broken(Code.PROTOCOL, f"type {kind:#04x}: {len(message)} bytes are too few")
    if kind not in (Kind.DATA, Msg.DATA) and len(message) > end + 4:
        raise Broken(Code.PROTOCOL, f"type {kind:#04x}: {len(message)} bytes are too many")
    tlvs = {}
    while at < end and not is_damaged:
        tlv, length = TLV.unpack_from(message, at)
        tlvs[tlv] = message[at + TLV.size : at + TLV.size + length]
        at += TLV.size + length
    return Frame(kind, handle, layout.unpack(message), tlvs, message[end:-4], flags, is_damaged)


Inbox = asyncio.Queue[Frame | LinkLost | Cancelled]


class Link:
    """One connection: whom its frames are for (§1), how it begins (§3) and ends (§7)."""

    features = 0  # what this end supports, besides files
    farewell = 1000  # the code with which it closes

    def __init__(self, socket: Connection, instance: bytes, is_server: bool):
        self.socket, self.instance = socket, instance
        self.peer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self.asked: asyncio.Queue[Frame | None] = asyncio.Queue()  # what the peer offers and requests
        self.error, self.code = "", 0  # of the peer's ERROR
        self._probed = asyncio.Event()
        self._inboxes: dict[int, Inbox] = {0: asyncio.Queue()}  # that of 0 is for messages
        self._requests: dict[bytes, Inbox] = {}
        self._next, self._highest = (2, -1) if is_server else (1, 0)

    async def greet(self) -> None:
        """Each side does so before anything else."""
        limits: dict[str, Any] = {"largest": LARGEST, "transfers": 8, "offers": 100, "memory": MEMORY}
        limits["features"] = self.features
        agent = {AGENT: b"files.py"}
        await self.send(Kind.HELLO, lowest=1, highest=1, instance=self.instance, tlvs=agent, **limits)

    async def greeting(self) -> Frame:
        """The HELLO of the peer, once it has come."""
        await asyncio.wait([self.peer])
        if self.peer.cancelled():
            raise LinkLost(self.error or "closed before it was greeted")
        return self.peer.result()

    async def run(self) -> None:
        """Reads until the link has ended."""
        try:
            async for message in self.socket:
                if isinstance(message, str):
                    await self.socket.close(1003, "a text message")
                elif frame := decode(message):
                    await self._dispatch(frame)
        except Broken as fault:
            await self.fail(fault)
        except (ConnectionClosed, LinkLost):
            pass
        self.peer.cancel()
        self.asked.put_nowait(None)
        for inbox in self._inboxes.values():
            inbox.put_nowait(LinkLost(self.error or f"closed with {self.socket.close_code}"))

    async def fail(self, fault: Broken) -> None:
        """Ends the link, for the peer has broken the protocol, or the path a frame (§7)."""
        with contextlib.suppress(LinkLost):
            await self.send(Kind.ERROR, code=fault.code, tlvs={TEXT: fault.text.encode()})
            ours = fault.code in (Code.CORRUPT_FRAME, Code.INTERNAL)
            await self.socket.close(1011 if ours else 1002, fault.text)

    async def _dispatch(self, frame: Frame) -> None:
        """Finds whom a frame is for. What nobody can have said ends the link (§6)."""
        if (frame.kind == Kind.HELLO) == self.peer.done():
            raise Broken(Code.PROTOCOL, "HELLO stands at the beginning, and nowhere else")
        if frame.kind in (Kind.OFFER, Kind.REQUEST):
            self._begin(frame)
        elif frame.kind in OF_MESSAGES:
            await self._hear_of_messages(frame)
        elif frame.handle == 0:
            await self._hear(frame)
        elif inbox := self._inboxes.get(frame.handle):
            inbox.put_nowait(frame)
        elif not self._was_open(frame.handle):
            code = Code.CORRUPT_FRAME if frame.is_damaged else Code.PROTOCOL
            raise Broken(code, f"type {frame.kind:#04x} for handle {frame.handle}")

    async def _hear(self, frame: Frame) -> None:
        """What is said of the whole link."""
        match frame.kind:
            case Kind.HELLO if not frame["lowest"] <= 1 <= frame["highest"]:
                raise Broken(Code.UNSUPPORTED, "version 1 is spoken here")
            case Kind.HELLO:
                self.peer.set_result(frame)
            case Kind.PROBE:
                await self.send(Kind.PROBE_ACK, anything=frame["anything"])
            case Kind.ERROR:
                self.error, self.code = frame.text, frame["code"]
            case Kind.PROBE_ACK:
                self._probed.set()
            case Kind.GOAWAY:
                pass
            case _:
                raise Broken(Code.PROTOCOL, f"type {frame.kind:#04x} for the link")

    async def _hear_of_messages(self, frame: Frame) -> None:
        if not self.features & MESSAGES:
            await self.socket.close(1003, "messages are not spoken of here")
        elif frame.kind not in FIXED:
            raise Broken(Code.UNSUPPORTED, f"type {frame.kind:#04x}")
        elif frame.handle:
            raise Broken(Code.PROTOCOL, f"type {frame.kind:#04x} for handle {frame.handle}")
        elif unknown := [tlv for tlv in frame.tlvs if tlv < MAY_BE_UNKNOWN]:
            raise Broken(Code.UNSUPPORTED, f"field {unknown[0]:#06x}")
        else:
            self._inboxes[0].put_nowait(frame)

    def _begin(self, frame: Frame) -> None:
        if frame.handle <= self._highest or frame.handle % 2 == self._next % 2:
            raise Broken(Code.PROTOCOL, f"handle {frame.handle} cannot be opened")
        self._highest = frame.handle
        waiting = self._requests.pop(frame["id"], None) if frame.kind == Kind.OFFER else None
        self._inboxes[frame.handle] = waiting or asyncio.Queue()
        (waiting or self.asked).put_nowait(frame)

    def _was_open(self, handle: int) -> bool:
        return 0 < handle < self._next if handle % 2 == self._next % 2 else handle <= self._highest

    def open(self) -> int:
        """A handle for an OFFER or a REQUEST of ours."""
        handle, self._next = self._next, self._next + 2
        self._inboxes[handle] = asyncio.Queue()
        return handle

    def close(self, handle: int) -> None:
        """What still comes for it is dropped."""
        self._inboxes.pop(handle, None)

    async def send(
        self,
        kind: Kind | Msg,
        handle: int = 0,
        *,
        flags: int = 0,
        tlvs: dict[int, bytes] | None = None,
        payload: bytes = b"",
        **fixed: Any,
    ) -> None:
        await self.write(Frame(kind, handle, fixed, tlvs or {}, payload, flags))

    async def probe(self) -> None:
        """Waits for the peer, which has then heard all that was sent before."""
        self._probed.clear()
        await self.send(Kind.PROBE)
        await self._probed.wait()

    async def write(self, frame: Frame) -> None:
        try:
            await self.socket.send(frame.encode())
        except ConnectionClosed as end:
            raise LinkLost(self.error or str(end)) from end

    async def receive(self, handle: int) -> Frame:
        """The next frame of a transfer, or of messages; its end, or that of the link, is an exception."""
        frame = await self._inboxes[handle].get()
        if isinstance(frame, Exception):
            raise frame
        if frame.kind == Kind.CANCEL:
            raise Cancelled(frame["code"], frame.text, bool(frame["discard"]))
        return frame

    async def cancel(self, handle: int, code: Code, text: str, discard: bool = False) -> Cancelled:
        """Ends a transfer, also for whoever waits for its next frame."""
        cancelled = Cancelled(code, text, discard)
        if inbox := self._inboxes.get(handle):
            inbox.put_nowait(cancelled)
        await self.send(Kind.CANCEL, handle, code=code, discard=discard, tlvs={TEXT: text.encode()})
        return cancelled

    async def request(self, id: bytes, name: str, was_offered: bool, listing: bool = False) -> Frame:
        """Asks for a file (§4), or for a listing (§5). The OFFER that answers has a handle of its own."""
        handle = self.open()
        self._requests[id] = self._inboxes[handle]
        flags = OFFERED_BEFORE if was_offered else 0
        tlvs = {NAME: name.encode()} if name else {}
        if listing:
            tlvs[KIND] = LISTING
        await self.send(Kind.REQUEST, handle, flags=flags, id=id, to=TO_THE_END, tlvs=tlvs)
        try:
            while (frame := await self.receive(handle)).kind == Kind.FINISHING:
                pass
            return frame
        finally:
            self._requests.pop(id, None)
            self.close(handle)


MakeLink = Callable[..., Link]


class Dialer:
    """Opens links to a server. The instance names this process (§3)."""

    def __init__(self, url: str, token: str = "", make_link: MakeLink = Link):
        self.url, self.make_link = url, make_link
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.instance = secrets.token_bytes(16)

    @contextlib.asynccontextmanager
    async def link(self) -> AsyncIterator[Link]:
        """A link, from its HELLO to its end."""
        async with connect(
            self.url,
            subprotocols=[SUBPROTOCOL],
            compression=None,
            max_size=LONGEST,
            proxy=None,
            additional_headers=self.headers,
        ) as socket:
            link = self.make_link(socket, self.instance, False)
            await link.greet()
            reading = asyncio.create_task(link.run())
            try:
                yield link
            finally:
                await socket.close(link.farewell)
                await reading


class Listener:
    """Takes links, at a free port if none is named."""

    def __init__(self, make_link: MakeLink = Link):
        self.make_link = make_link
        self.instance = secrets.token_bytes(16)

    async def serve(self, port: int = 0) -> Server:
        return await serve(
            self._greet, "127.0.0.1", port, subprotocols=[SUBPROTOCOL], compression=None, max_size=LONGEST
        )

    async def _greet(self, socket: ServerConnection) -> None:
        link = self.make_link(socket, self.instance, True)
        with contextlib.suppress(LinkLost):
            await link.greet()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(link.run())
            await self.answer(link, tasks)

    async def answer(self, link: Link, tasks: asyncio.TaskGroup) -> None:
        """What a server does with a link, here and in tasks of its own."""
