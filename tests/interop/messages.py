"""Messages of `bowline.v1` in Python: sessions that outlive their links, for a client and for a server (§8).

It was written from PROTOCOL.md alone, as files.py was; wire.py has the frames and the links. Left out are
most timers, and what a server owes itself against strangers.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from enum import IntEnum
from itertools import islice
from typing import NamedTuple

from websockets.exceptions import WebSocketException

from wire import MESSAGES, Broken, Code, Dialer, Frame, Link, LinkLost, Listener, MakeLink, Msg

LARGEST = 1 << 20  # the longest message
TEXT, BINARY = 1, 2  # forms
ACK_MESSAGES, ACK_BYTES, ACK_AFTER = 32, 64 << 10, 0.2  # when one is sent (§8.3)
LEAST_WAIT = 1.0  # seconds before a server that had no room is asked again
KEEP = 120  # seconds for which a session is kept without a link
PAUSE_BETWEEN = 0.02  # seconds between two links, where a real client waits longer each time

Content = str | bytes


class Why(IntEnum):
    """Why there is no session any more (§8.2)."""

    UNKNOWN, EXPIRED, OVERFLOW, EPOCH, NUMBERS, BUSY, CLOSED = range(1, 8)


class Window(NamedTuple):
    """What may be unacknowledged. One message may always be."""

    messages: int = 256
    bytes: int = 1 << 20

    @classmethod
    def of(cls, frame: Frame) -> Window:
        """What the other end promises."""
        if frame["messages"] == 0:
            raise Broken(Code.PROTOCOL, "a window of no messages")
        return cls(frame["messages"], frame["bytes"])

    def holds(self, count: int, length: int) -> bool:
        return count <= 1 or (count <= self.messages and length <= self.bytes)


class Lost(NamedTuple):
    """A message that is not known to have arrived, in a session that has ended."""

    content: Content
    maybe_delivered: bool  # it was sent on a link


class Talk(Link):
    """A link that carries messages."""

    features = MESSAGES

    def __init__(self, *args):
        super().__init__(*args)
        self.session: Session | None = None  # the last one on this link
        self.was_given_up = False  # the peer may not know yet
        self.number = 0  # on a server, in the order in which links opened


Inbox = asyncio.Queue[tuple["Session", int, Content]]


class Session:
    """What one end keeps while links come and go: numbers, and what has not been acknowledged."""

    def __init__(self, window: Window, inbox: Inbox | None = None):
        self.window = window
        self.inbox: Inbox = asyncio.Queue() if inbox is None else inbox
        self.link: Talk | None = None
        self.room = Window()  # the other end's window
        self._kept: deque[Content] = deque()  # those above `acknowledged`
        self._under_way = 0  # bytes of those up to `sent`
        self.acknowledged = self.sent = self.highest = 0  # numbers of ours; `sent` is of this link
        self.received = self.arrived = self.told = 0  # numbers of theirs; `told` is what we have acknowledged
        self._untold: deque[int] = deque()  # the lengths of those above `told`
        self._ack_later: asyncio.Task | None = None

    # ----- for the application -----

    async def send(self, content: Content, volatile: bool = False) -> None:
        """Sends it as soon as there is room, on whatever link there is by then."""
        if len(encoded(content)) > LARGEST:
            raise ValueError("what is longer than 1 MiB is a file")
        if not volatile:
            self._kept.append(content)
            await self.push()
        elif self.link:
            await self._say_data(0, content)

    async def receive(self) -> Content:
        session, number, content = await self.inbox.get()
        await session.take(number)
        return content

    async def take(self, number: int) -> None:
        """It has arrived."""
        if number == 0:
            return
        self.arrived = number
        lengths = list(islice(self._untold, self.arrived - self.told))
        many, much = (min(most, -(-room // 2)) for most, room in zip((ACK_MESSAGES, ACK_BYTES), self.window))
        if len(lengths) >= many or sum(lengths) >= much:
            await self.ack()
        elif self._ack_later is None or self._ack_later.done():
            self._ack_later = asyncio.create_task(self._ack_after_a_while())

    async def _ack_after_a_while(self) -> None:
        await asyncio.sleep(ACK_AFTER)
        if self.told < self.arrived:
            await self.ack()

    # ----- for the owner of the link -----

    def fits(self, last: int) -> bool:
        """Whether the other end can have heard so far (§8.2, numbers)."""
        return self.acknowledged <= last <= self.highest

    async def attach(self, link: Talk, room: Window, last: int) -> None:
        """Goes on over another link: what has not arrived is sent again, in order, before anything new."""
        self.link, self.room = link, room
        link.session = self
        self._drop(last)
        self.sent, self._under_way = self.acknowledged, 0
        await self.push()

    def detach(self) -> None:
        if self.link:
            self.link.session = self.link = None

    async def hear(self, frame: Frame) -> None:
        self._hear_ack(frame["last"])
        if frame.kind == Msg.DATA:
            self._hear_data(frame)
        await self.push()

    def _hear_data(self, data: Frame) -> None:
        content, number = decoded(data), data["number"]
        if number > self.received + 1:
            raise Broken(Code.PROTOCOL, f"message {number} after {self.received}")
        if number == self.received + 1:
            self.received = number
            self._untold.append(len(data.payload))
            if not self.window.holds(len(self._untold), sum(self._untold)):
                raise Broken(Code.PROTOCOL, f"message {number} is beyond the window")
        elif number:
            return
        self.inbox.put_nowait((self, number, content))

    def _hear_ack(self, last: int) -> None:
        # What arrived on an earlier link may be acknowledged before it has been sent again on this one.
        if last > self.highest:
            raise Broken(Code.PROTOCOL, f"{last} is acknowledged, {self.highest} was sent")
        self._drop(last)
        self.sent = max(self.sent, self.acknowledged)

    def _drop(self, last: int) -> None:
        while self.acknowledged < last:
            self.acknowledged += 1
            content = self._kept.popleft()
            if self.acknowledged <= self.sent:
                self._under_way -= len(encoded(content))

    async def push(self) -> None:
        """Sends what there is room for."""
        while self.link and (count := self.sent - self.acknowledged) < len(self._kept):
            content = self._kept[count]
            length = self._under_way + len(encoded(content))
            if not self.room.holds(count + 1, length):
                return
            self.sent, self._under_way = self.sent + 1, length
            self.highest = max(self.highest, self.sent)
            await self._say_data(self.sent, content)

    async def _say_data(self, number: int, content: Content) -> None:
        form = TEXT if isinstance(content, str) else BINARY
        with contextlib.suppress(LinkLost):
            await self.link.send(
                Msg.DATA, number=number, last=self.tell(), form=form, payload=encoded(content)
            )

    async def ack(self) -> None:
        if self.link:
            with contextlib.suppress(LinkLost):
                await self.link.send(Msg.ACK, last=self.tell())

    def tell(self) -> int:
        """The last number that has arrived, for whatever goes out now."""
        while self.told < self.arrived:
            self.told += 1
            self._untold.popleft()
        return self.told

    @property
    def unacknowledged(self) -> int:
        return len(self._kept)

    def rest(self) -> list[Lost]:
        """What is not known to have arrived."""
        return [
            Lost(content, number <= self.highest)
            for number, content in enumerate(self._kept, self.acknowledged + 1)
        ]


def encoded(content: Content) -> bytes:
    return content.encode() if isinstance(content, str) else content


def decoded(data: Frame) -> Content:
    if len(data.payload) > LARGEST:
        raise Broken(Code.PROTOCOL, f"a message of {len(data.payload)} bytes")
    if data["form"] not in (TEXT, BINARY):
        raise Broken(Code.PROTOCOL, f"form {data['form']} stands for nothing")
    try:
        return data.payload.decode() if data["form"] == TEXT else data.payload
    except UnicodeDecodeError as error:
        raise Broken(Code.PROTOCOL, "a text that is not UTF-8") from error


class Client(Dialer):
    """Keeps a link to a server, and a session on it, while it is entered."""

    def __init__(self, url: str, window: Window = Window(), token: str = "", make_link: MakeLink = Talk):
        super().__init__(url, token, make_link)
        self.window, self.inbox = window, Inbox()
        self.lost: list[Lost] = []
        self.ends: list[Why] = []  # of sessions
        self.links = 0
        self._begin()

    def _begin(self) -> None:
        self.session = Session(self.window, self.inbox)
        self._rename()

    def _rename(self) -> None:
        self.name, self.epoch, self.secret = secrets.token_bytes(16), 0, secrets.token_bytes(16)

    async def __aenter__(self) -> Client:
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_) -> None:
        self._running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._running

    async def send(self, content: Content, volatile: bool = False) -> None:
        await self.session.send(content, volatile)

    async def receive(self) -> Content:
        while True:
            session, number, content = await self.inbox.get()
            # What was received in a session that is over belongs to its sender again.
            if session is self.session:
                await session.take(number)
                return content

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(LinkLost, OSError, WebSocketException):
                async with self.link() as link:
                    self.links += 1
                    await self._talk(link)
            await asyncio.sleep(PAUSE_BETWEEN)

    async def _talk(self, link: Talk) -> None:
        if not (await link.greeting())["features"] & MESSAGES:
            raise LinkLost("the server does not speak of messages")
        try:
            await self._ask(link)
            while True:
                await self._hear(link, await link.receive(0))
        except Broken as fault:
            await link.fail(fault)
        finally:
            self.session.detach()

    async def _ask(self, link: Talk) -> None:
        await link.send(
            Msg.RESUME,
            session=self.name,
            secret=self.secret,
            epoch=self.epoch,
            messages=self.window.messages,
            bytes=self.window.bytes,
            last=self.session.tell(),
        )

    async def _hear(self, link: Talk, frame: Frame) -> None:
        match frame.kind:
            case Msg.RESUMED if not link.session:
                await self._resume(link, frame)
            case Msg.NEWSESSION if self.epoch == 0:
                self._rename()
                await asyncio.sleep(max(frame["after"] / 1000, LEAST_WAIT))
                await self._ask(link)
            case Msg.NEWSESSION:
                self._give_up(Why(frame["why"]))
                await self._ask(link)
            case Msg.DATA | Msg.ACK if link.session:
                await self.session.hear(frame)
            case _:
                raise Broken(Code.PROTOCOL, f"type {frame.kind:#04x} at this time")

    async def _resume(self, link: Talk, resumed: Frame) -> None:
        room = Window.of(resumed)
        if resumed["epoch"] <= self.epoch:
            raise Broken(Code.PROTOCOL, f"epoch {resumed['epoch']} after {self.epoch}")
        if not self.session.fits(resumed["last"]):
            self._give_up(Why.NUMBERS)
            raise Broken(Code.INTERNAL, f"{resumed['last']} messages cannot have arrived")
        self.epoch, self.secret = resumed["epoch"], resumed["secret"]
        await self.session.attach(link, room, resumed["last"])
        # If only to show that the epoch has arrived.
        await self.session.ack()

    def _give_up(self, why: Why) -> None:
        self.session.detach()
        self.lost += self.session.rest()
        self.ends.append(why)
        self._begin()


class Held(Session):
    """A session at its server, with the secrets of its epochs. The client may know those from `shown` on."""

    def __init__(self, ask: Frame, window: Window):
        super().__init__(window)
        self.name = ask["session"]
        self.secrets = [ask["secret"]]
        self.shown = self.links = 0
        self.forgetting: asyncio.TimerHandle | None = None

    @property
    def epoch(self) -> int:
        return len(self.secrets) - 1

    def find(self, ask: Frame) -> Why | None:
        """Why it is not this one that is asked for, or has to end."""
        known = self.secrets[ask["epoch"]] if ask["epoch"] <= self.epoch else b""
        if not hmac.compare_digest(known, ask["secret"]):
            return Why.UNKNOWN
        if ask["epoch"] < self.shown:
            return Why.EPOCH
        return None if self.fits(ask["last"]) else Why.NUMBERS

    def stay(self) -> None:
        if self.forgetting:
            self.forgetting.cancel()

    def raise_epoch(self, shown: int) -> bytes:
        self.shown = shown
        self.secrets.append(secrets.token_bytes(16))
        return self.secrets[-1]

    async def hear(self, frame: Frame) -> None:
        self.shown = self.epoch
        await super().hear(frame)


class Server(Listener):
    """Keeps sessions. Each new one is given to the application, which may send and receive until it ends."""

    def __init__(
        self,
        application: Callable[[Session], Awaitable[None]],
        window: Window = Window(),
        keep: float = KEEP,
        make_link: MakeLink = Talk,
    ):
        super().__init__(make_link)
        self.application, self.window, self.keep = application, window, keep
        self.sessions: dict[bytes, Held] = {}
        self.ended: dict[bytes, Why] = {}
        self.links = 0
        self._tasks: set[asyncio.Task] = set()

    async def answer(self, link: Talk, tasks: asyncio.TaskGroup) -> None:
        self.links += 1
        link.number = self.links
        try:
            while True:
                await self._hear(link, await link.receive(0))
        except Broken as fault:
            await link.fail(fault)
        except LinkLost:
            pass
        finally:
            self._detach(link)

    def _detach(self, link: Talk) -> None:
        session = link.session
        if session is None or session.link is not link:
            return
        session.detach()
        end = link.socket.protocol.close_rcvd
        if end and end.code == 1000:
            self._end(session, Why.CLOSED)
        else:
            loop = asyncio.get_running_loop()
            session.forgetting = loop.call_later(self.keep, self._end, session, Why.EXPIRED)

    def _end(self, session: Held, why: Why) -> None:
        session.stay()
        if session.link:
            session.link.was_given_up = True
        session.detach()
        self.ended[session.name] = why
        del self.sessions[session.name]

    async def _hear(self, link: Talk, frame: Frame) -> None:
        session = link.session
        if session and session.link is not link:
            return  # Another link has taken it over.
        match frame.kind:
            case Msg.RESUME if not session and (await link.greeting())["features"] & MESSAGES:
                await self._hear_resume(link, frame)
            case Msg.DATA | Msg.ACK if session:
                await session.hear(frame)
            case Msg.DATA | Msg.ACK if link.was_given_up:
                pass
            case _:
                raise Broken(Code.PROTOCOL, f"type {frame.kind:#04x} at this time")

    async def _hear_resume(self, link: Talk, ask: Frame) -> None:
        room = Window.of(ask)
        if ask["epoch"] == 0 and ask["last"]:
            raise Broken(Code.PROTOCOL, f"a new session cannot have heard message {ask['last']}")
        session = self._find(link, ask)
        if isinstance(session, Why):
            await link.send(Msg.NEWSESSION, why=session)
            return
        session.stay()
        if session.link:
            self._run(session.link.socket.close(1000, "superseded"))
        session.links = link.number
        secret, last = session.raise_epoch(shown=ask["epoch"]), session.tell()
        promised = {"messages": self.window.messages, "bytes": self.window.bytes, "keep": int(self.keep)}
        await link.send(Msg.RESUMED, epoch=session.epoch, secret=secret, last=last, **promised)
        await session.attach(link, room, ask["last"])

    def _find(self, link: Talk, ask: Frame) -> Held | Why:
        session = self.sessions.get(ask["session"])
        if session is None and ask["epoch"]:
            return self.ended.get(ask["session"], Why.UNKNOWN)
        if session is None:
            session = self.sessions[ask["session"]] = Held(ask, self.window)
            self._run(self.application(session))
        why = session.find(ask)
        if why == Why.NUMBERS:
            self._end(session, why)
        return why or (Why.EPOCH if link.number < session.links else session)

    async def give_up(self, session: Session, why: Why) -> None:
        """Ends it, and tells the client."""
        link = session.link
        self._end(session, why)
        if link:
            await link.send(Msg.NEWSESSION, why=why)

    def _run(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
