"""`bowline.v1` in Python: files over links that may end at any byte, for a client and for a server.

It was written from PROTOCOL.md alone; § names the section that a line obeys. wire.py has the frames and the
links, messages.py the messages. Left out is what two ends can do without: folders but for what a server says
of them, ranges, unknown lengths, a window that fits the path, limits of a rate, most timers, and much of
what a server owes itself against strangers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from blake3 import blake3

from wire import (
    BATCH,
    FIXED,
    KIND,
    LARGEST,
    LISTING,
    MAY_BE_UNKNOWN,
    NAME,
    OFFERED_BEFORE,
    TO_THE_END,
    VALIDATOR,
    Cancelled,
    Code,
    Dialer,
    Frame,
    Kind,
    Link,
    LinkLost,
    Listener,
    MakeLink,
)

EARLY = 64 << 10  # what may be sent before ACCEPT (§4, Credit)
CREDIT = 1 << 20  # what a receiver here promises to accept
WINDOW = 512 << 10  # what a sender here has under way
LEAST_CHUNK, FEW = 1 << 10, 16  # over a path that damages chunks (§4, Rewind)
SYNC_EVERY = 256 << 10
MOST_DAMAGED = 8
BLAKE3 = 1
CREATE, ATTACH, RESTART = 1, 2, 3  # modes of an offer, beside 0: whichever it is
PART, WHOLE, ELSEWHERE = 0, 1, 2  # what a receiver has
GAP, DAMAGE = 1, 2  # why it asks to go back
UNKNOWN = 2**64 - 1  # a length (§4, Unknown length)
KNOWN = {NAME, VALIDATOR, BATCH}  # a folder, which has a kind, is not accepted here
LINKS = 50  # how often a client dials for one file
PAUSE_BETWEEN = 0.02  # seconds between two links, where a real client waits longer each time


@dataclass
class Source:
    """A file to be sent. A new process that knows the id, and has the file, goes on with the transfer."""

    id: bytes
    name: str
    path: Path
    epoch: int = 0  # the one in the last ACCEPT, 0 for a new process
    durable: int = 0
    resumed: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.look = self._look()
        self.length, self.modified = self.look[0], self.look[1] // 1_000_000

    def _look(self) -> tuple[int, int]:
        stat = self.path.stat()
        return stat.st_size, stat.st_mtime_ns

    @property
    def validator(self) -> bytes:
        return struct.pack(">QQ", *self.look)

    def has_changed(self) -> bool:
        return self._look() != self.look

    def digest(self, length: int | None = None) -> bytes:
        with self.path.open("rb") as file:
            return blake3(file.read() if length is None else file.read(length)).digest()


class Transfer:
    """What both ends of a transfer have in common, on one link."""

    def __init__(self, link: Link, handle: int):
        self.link, self.handle = link, handle
        self.paused_here = self.paused_there = False
        self.is_void = False  # the credit from before a pause, and there is none after it yet

    @property
    def is_halted(self) -> bool:
        return self.paused_here or self.paused_there

    async def _say(self, kind: Kind, **what: Any) -> None:
        await self.link.send(kind, self.handle, **what)

    async def _end(self, code: Code, text: str, discard: bool = False) -> Cancelled:
        return await self.link.cancel(self.handle, code, text, discard)

    async def _refuse(self, frame: Frame) -> Cancelled:
        code = Code.PROTOCOL if frame.kind in FIXED else Code.UNSUPPORTED
        return await self._end(code, f"unexpected: type {frame.kind:#04x}")


class Sender(Transfer):
    """One file on its way out (§4)."""

    def __init__(self, link: Link, source: Source, was_offered: bool):
        super().__init__(link, link.open())
        self.source = source
        self.chunk = self.largest = LARGEST
        self.sequence = self.sent = self.highest = self.received = 0
        self.credit = 0 if was_offered else min(EARLY, source.length)
        self.accepted = self.fin = False
        self.healthy: int | None = None  # how far it has come since a chunk was damaged
        self.pauses = 0  # how many PAUSEs we have sent

    async def run(self) -> Frame:
        """Sends it, and returns the DONE that confirms it."""
        source = self.source
        tlvs = {NAME: source.name.encode(), VALIDATOR: source.validator}
        look = {"length": source.length, "modified": source.modified}
        await self._say(Kind.OFFER, id=source.id, epoch=source.epoch, algorithm=BLAKE3, tlvs=tlvs, **look)
        try:
            with source.path.open("rb") as file:
                while True:
                    await self._push(file)
                    if done := await self._hear(await self.link.receive(self.handle)):
                        return done
        finally:
            self.link.close(self.handle)

    @property
    def window(self) -> int:
        """Over a path that damages chunks they are small, and few at once (§4, Rewind)."""
        return WINDOW if self.healthy is None else FEW * self.chunk

    async def _push(self, file: BinaryIO) -> None:
        """Sends what may be sent: up to the credit, no more at once than the window, and FIN at the end."""
        source = self.source
        while not self.is_halted and self.sent < min(self.credit, self.received + self.window):
            file.seek(self.sent)
            data = file.read(min(self.chunk, self.credit - self.sent))
            if not data:
                raise await self._end(Code.SOURCE_CHANGED, "the file has become shorter", discard=True)
            at, self.sent = self.sent, self.sent + len(data)
            self.highest = max(self.highest, self.sent)
            await self._say(Kind.DATA, offset=at, sequence=self.sequence, payload=data)
            self.sequence += 1
        if self.sent == source.length and not self.fin and not self.is_halted:
            if source.has_changed():
                raise await self._end(Code.SOURCE_CHANGED, "the file has changed", discard=True)
            self.fin = True
            await self._say(Kind.FIN, length=source.length, digest=source.digest())

    async def _hear(self, frame: Frame) -> Frame | None:
        match frame.kind:
            case Kind.ACCEPT if not self.accepted:
                await self._begin(frame)
            case Kind.ACK if not frame["durable"] <= frame["received"] <= self.highest:
                raise await self._end(Code.BAD_OFFSET, f"{self.highest} bytes were sent")
            case Kind.ACK:
                self._hear_ack(frame)
            case Kind.DONE if self.fin:
                if frame["digest"] != self.source.digest():
                    raise Cancelled(Code.DIGEST_MISMATCH, "the file over there is another one")
                return frame
            case Kind.FINISHING:
                pass
            case Kind.PAUSE:
                self.paused_there = True
                if not self.is_void and not self.fin:
                    await self._say_pause(answer=1)
            case Kind.RESUME:
                self.paused_there = False
                self.is_void = self.is_void and frame["heard"] != self.pauses
            case _:
                raise await self._refuse(frame)
        return None

    async def _begin(self, accept: Frame) -> None:
        resume, source = accept["resume"], self.source
        if not resume <= accept["credit"] or resume > source.length:
            raise await self._end(Code.BAD_OFFSET, f"resume at {resume} of {source.length} bytes")
        has_part = accept["have"] == PART and any(accept["digest"])
        if has_part and source.digest(resume) != accept["digest"]:
            raise await self._end(Code.SOURCE_CHANGED, "the file is not the one from before", discard=True)
        self.accepted = True
        source.epoch = accept["epoch"] or source.epoch
        source.resumed.append(resume)
        self.received, self.credit = resume, accept["credit"]
        self.largest = min(self.largest, accept["largest"])
        # What was sent before ACCEPT was useful if it reaches beyond the position at which to resume.
        self.sent = source.length if accept["have"] == ELSEWHERE else max(self.sent, resume)
        self.highest = max(self.highest, self.sent)
        self.fin = self.fin or accept["have"] == WHOLE

    def _hear_ack(self, ack: Frame) -> None:
        self.received = max(self.received, ack["received"])
        self.source.durable = max(self.source.durable, ack["durable"])
        if not self.is_void:
            self.credit = max(self.credit, min(ack["credit"], self.source.length))
        if ack["rewind"]:
            self.sent, self.fin = self.received, False
        if ack["rewind"] == DAMAGE:
            self.chunk, self.healthy = max(self.chunk // 4, LEAST_CHUNK), self.received
        elif self.healthy is not None and self.received - self.healthy >= FEW * self.chunk:
            self.chunk, self.healthy = min(self.chunk * 2, self.largest), self.received

    async def pause(self) -> None:
        self.paused_here = True
        await self._say_pause(answer=0)

    async def resume(self) -> None:
        """Bytes move again when the receiver has given credit anew."""
        self.paused_here = False
        await self._say(Kind.RESUME, offset=self.sent)

    async def cancel(self, discard: bool) -> None:
        self.credit = self.sent
        await self._end(Code.CANCELLED, "cancelled", discard)

    async def _say_pause(self, answer: int) -> None:
        """The last word before the bytes stop. All credit is void from here on."""
        self.pauses, self.is_void, self.credit = self.pauses + 1, True, self.sent
        await self._say(Kind.PAUSE, offset=self.sent, answer=answer)


class Part:
    """What a receiver keeps of a file under way: its bytes, and a journal that says of what (§4, Id)."""

    def __init__(self, folder: Path, id: bytes, name: str):
        self.id, self.name = id, name
        self.path, self.journal = folder / f".{id.hex()}.part", folder / f".{id.hex()}.json"
        kept = json.loads(self.journal.read_text()) if self.journal.exists() else {}
        self.look: list[Any] | None = kept.get("look")  # of the source, when it was offered first
        self.epoch, self.owner = kept.get("epoch", 0), kept.get("owner", "")
        self.digest = bytes.fromhex(kept.get("digest", ""))  # once it has arrived whole
        self.path.touch()
        self.hash = blake3(self.path.read_bytes())
        self.received = self.durable = self.path.stat().st_size
        self.resumed: list[int] = []

    def attach(self, look: list[Any], owner: bytes) -> None:
        """Somebody goes on with it, and has overtaken whoever did so before (§4, Epoch)."""
        self.look, self.owner, self.epoch = look, owner.hex(), self.epoch + 1
        self.resumed.append(self.received)
        self._note()

    def write(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)
        self.hash.update(data)
        self.received += len(data)

    def sync(self) -> None:
        with self.path.open("ab") as file:
            os.fsync(file.fileno())
        self.durable = self.received

    def finish(self, target: Path) -> None:
        """Gives it its name, unless another file has that. The id is kept for a FIN that is repeated."""
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(self.path, target)
        self.path.unlink()
        self.digest = self.hash.digest()
        self._note()

    def discard(self) -> None:
        self.path.write_bytes(b"")
        self.hash, self.received, self.durable, self.look = blake3(), 0, 0, None
        self.digest = b""
        self._note()

    def _note(self) -> None:
        kept = {"look": self.look, "epoch": self.epoch, "owner": self.owner, "digest": self.digest.hex()}
        self.journal.write_text(json.dumps(kept))


class Receiver(Transfer):
    """One file on its way in, once it is offered (§4)."""

    def __init__(self, link: Link, offer: Frame, part: Part, target: Path, is_requested: bool):
        super().__init__(link, offer.handle)
        self.offer, self.part, self.target, self.is_requested = offer, part, target, is_requested
        self.length, self.epoch = offer["length"], 0
        self.credit = self.sequence = self.heard = self.damaged = 0
        self.mark: int | None = None  # the sender must go back; what was dropped since reaches this far

    async def run(self) -> bytes:
        """Takes the file, and returns its digest once it has its name."""
        try:
            await self._attach()
            while not self.part.digest:
                await self._hear(await self.link.receive(self.handle))
        except Cancelled as end:
            if end.discard:
                self.part.discard()
            raise
        finally:
            self.link.close(self.handle)
        return self.part.digest

    async def _attach(self) -> None:
        part, offer = self.part, self.offer
        look = [part.name, self.length, offer["modified"], offer.tlvs.get(VALIDATOR, b"").hex()]
        instance = (await self.link.peer)["instance"]
        if offer["mode"] == RESTART or (self.is_requested and part.look != look):
            part.discard()
        if part.look and part.look != look:
            raise await self._end(Code.SOURCE_CHANGED, "the file is not the one that was begun with")
        if self.length == UNKNOWN:
            raise await self._end(Code.UNSUPPORTED, "a file without a length")
        if part.digest:
            await self._accept(WHOLE, part.digest)
            return await self._done(there=1)
        if self.target.exists():
            raise await self._end(Code.EXISTS, f"there is a file named {part.name}")
        if offer["epoch"] not in (0, part.epoch) and instance.hex() != part.owner:
            raise await self._end(Code.FENCED, f"epoch {offer['epoch']} is over, it is {part.epoch}")
        if offer["mode"] == CREATE and part.look:
            raise await self._end(Code.EXISTS, "the transfer has already begun")
        if offer["mode"] == ATTACH and not part.look:
            raise await self._end(Code.NOT_FOUND, "there is nothing to go on with")
        part.attach(look, instance)
        self.epoch = part.epoch
        await self._accept(PART, part.hash.digest() if part.received else b"")

    async def _accept(self, have: int, digest: bytes) -> None:
        resume = self.length if have == WHOLE else self.part.received
        self.credit = min(resume + CREDIT, self.length)
        await self._say(
            Kind.ACCEPT,
            resume=resume,
            credit=self.credit,
            largest=LARGEST,
            delay=0,
            epoch=0 if have == WHOLE else self.part.epoch,
            have=have,
            digest=digest,
        )

    async def _hear(self, frame: Frame) -> None:
        if self.epoch != self.part.epoch:
            raise await self._end(Code.FENCED, "another link has taken this transfer over")
        match frame.kind:
            case Kind.DATA if frame.is_damaged:
                await self._hear_damage(frame)
            case Kind.DATA:
                await self._hear_data(frame)
            case Kind.FIN:
                await self._hear_fin(frame)
            case Kind.FINISHING:
                pass
            case Kind.PAUSE:
                self.heard, self.is_void, self.credit = self.heard + 1, True, self.part.received
                self.paused_there = self.paused_there or not frame["answer"]
                await self._go_on()
            case Kind.RESUME:
                self.paused_there = False
                await self._go_on()
            case _:
                raise await self._refuse(frame)

    async def _hear_data(self, data: Frame) -> None:
        offset, end, part = data["offset"], data["offset"] + len(data.payload), self.part
        if end > self.length:
            text = f"a chunk ends at {end}, the file at {self.length}"
            raise await self._end(Code.LENGTH_MISMATCH, text)
        if end > self.credit:
            raise await self._end(Code.PROTOCOL, f"a chunk ends at {end}, the credit at {self.credit}")
        self.sequence = data["sequence"]
        if offset > part.received:
            is_new = self.mark is None or offset < self.mark
            self.mark = end
            return await self._ack(GAP) if is_new else None
        self.mark = None
        if end > part.received:
            part.write(data.payload[part.received - offset :])
            self.damaged = 0
        if part.received - part.durable >= SYNC_EVERY:
            part.sync()
        await self._ack()

    async def _hear_damage(self, data: Frame) -> None:
        """What it says of its place may be wrong, but hardly so that it fits the mark (§4, Rewind)."""
        if data["offset"] == self.mark:
            self.mark = data["offset"] + len(data.payload)
            return
        self.damaged += 1
        if self.damaged == MOST_DAMAGED:
            raise await self._end(Code.CORRUPT_FRAME, f"{self.damaged} damaged chunks in a row")
        self.mark = self.part.received + len(data.payload)
        await self._ack(DAMAGE)

    async def _hear_fin(self, fin: Frame) -> None:
        part = self.part
        if fin["length"] != self.length:
            raise await self._end(
                Code.LENGTH_MISMATCH, f"{self.length} bytes were offered, {fin['length']} sent"
            )
        if part.received < self.length:
            if self.mark is None:
                self.mark = self.length
                await self._ack(GAP)
            return
        if fin["digest"] != part.hash.digest():
            part.discard()
            raise await self._end(Code.DIGEST_MISMATCH, "other bytes have come than were sent", discard=True)
        part.sync()
        try:
            part.finish(self.target)
        except FileExistsError as error:
            raise await self._end(Code.EXISTS, f"there is a file named {part.name}") from error
        await self._done(there=0)

    async def _done(self, there: int) -> None:
        await self._say(Kind.DONE, length=self.length, digest=self.part.digest, there=there)

    async def _ack(self, rewind: int = 0) -> None:
        part = self.part
        if not self.is_halted and not self.is_void:
            self.credit = min(part.received + CREDIT, self.length)
        await self._say(
            Kind.ACK,
            received=part.received,
            durable=part.durable,
            credit=self.credit,
            sequence=self.sequence,
            rewind=rewind,
        )

    async def pause(self) -> None:
        self.paused_here = True
        await self._say(Kind.PAUSE, offset=self.part.received)

    async def resume(self) -> None:
        self.paused_here, self.is_void = False, True
        await self._go_on()

    async def _go_on(self) -> None:
        """Gives credit again, unless somebody wants a pause (§4, Pause)."""
        if self.is_void and not self.is_halted:
            self.is_void = False
            await self._say(Kind.RESUME, offset=self.part.received, heard=self.heard)
            await self._ack()


class Client(Dialer):
    """Dials, and dials again when a link is lost (§4, Ends)."""

    async def send(self, source: Source) -> Frame:
        return await self._again(lambda link: Sender(link, source, was_offered=source.epoch > 0).run())

    async def fetch(self, part: Part, target: Path) -> bytes:
        return await self._again(lambda link: self._fetch(link, part, target))

    async def _fetch(self, link: Link, part: Part, target: Path) -> bytes:
        offer = await link.request(part.id, part.name, was_offered=part.look is not None)
        return await Receiver(link, offer, part, target, is_requested=True).run()

    async def list(self, part: Part, target: Path, name: str = "") -> list[str]:
        """What there is, in lines (§5): in the folder of this name, the file of it, or everything."""
        await self._again(lambda link: self._list(link, part, target, name))
        return target.read_bytes().decode().split("\n")[1:-2]

    async def _list(self, link: Link, part: Part, target: Path, name: str) -> bytes:
        offer = await link.request(part.id, name, was_offered=part.look is not None, listing=True)
        if offer.tlvs.get(KIND) != LISTING:
            raise await link.cancel(offer.handle, Code.PROTOCOL, "that is no listing")
        return await Receiver(link, offer, part, target, is_requested=True).run()

    async def _again(self, transfer: Callable[[Link], Awaitable[Any]]) -> Any:
        for _ in range(LINKS):
            try:
                async with self.link() as link:
                    return await transfer(link)
            except (LinkLost, OSError):
                await asyncio.sleep(PAUSE_BETWEEN)
        raise LinkLost(f"{LINKS} links have ended early")


class Folder(Listener):
    """What a server takes and gives out: the files of one folder, unfinished ones beside it."""

    def __init__(self, files: Path, staging: Path, make_link: MakeLink = Link):
        super().__init__(make_link)
        self.files, self.staging = files, staging
        self.parts: dict[bytes, Part] = {}

    async def answer(self, link: Link, tasks: asyncio.TaskGroup) -> None:
        while frame := await link.asked.get():
            tasks.create_task(self._answer(link, frame))

    async def _answer(self, link: Link, frame: Frame) -> None:
        name = frame.tlvs.get(NAME, b"").decode(errors="replace")
        with contextlib.suppress(Cancelled, LinkLost):
            if unknown := [tlv for tlv in frame.tlvs if tlv < MAY_BE_UNKNOWN and tlv not in KNOWN]:
                raise await link.cancel(frame.handle, Code.UNSUPPORTED, f"field {unknown[0]:#06x}")
            elif not is_allowed(name):
                raise await link.cancel(frame.handle, Code.NAME_INVALID, f"no file can be named {name}")
            elif frame.kind == Kind.OFFER:
                part = self.parts.get(frame["id"]) or Part(self.staging, frame["id"], name)
                self.parts[part.id] = part
                await Receiver(link, frame, part, self.files / name, is_requested=False).run()
            elif not (self.files / name).is_file():
                raise await link.cancel(frame.handle, Code.NOT_FOUND, f"there is no file {name}")
            elif (frame["from"], frame["to"]) != (0, TO_THE_END):
                raise await link.cancel(frame.handle, Code.UNSUPPORTED, "only whole files are given out")
            else:
                source = Source(frame["id"], name, self.files / name)
                await Sender(link, source, was_offered=bool(frame.flags & OFFERED_BEFORE)).run()
        link.close(frame.handle)


DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f\\:*?"<>|]|[. ]$')


def is_allowed(name: str) -> bool:
    """Whether a file may have this name (§2)."""
    parts = name.split("/")
    if len(name.encode()) > 4096 or len(parts) > 64:
        return False
    return all(
        0 < len(part.encode()) <= 255 and not FORBIDDEN.search(part) and not DEVICE.fullmatch(part)
        for part in parts
    )
