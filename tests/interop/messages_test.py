"""messages.py and the example `message_echo` send each other messages: `messages_test.py MESSAGE_ECHO`.

The example sends each message back, so whatever is said crosses in both directions. Where a path is cut a
number of bytes says, and not a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from crc32c import crc32c

from case import LIMIT, Case, main, url_of
from files import Sender, Source
from messages import LARGEST, Client, Content, Lost, Server, Session, Talk, Why, Window
from wire import HEADER, Code, Dialer, Frame, Link, LinkLost, Listener, Msg

CUTS = 20
PAUSE = "20"  # milliseconds before a client of ours dials again
MANY = 2500  # more messages than either end keeps or accepts at once

Say = Callable[[Link], Awaitable[None]]  # says something on a link


class Relay:
    """A path to a port, cut at places: bytes, counted over all links and both directions."""

    def __init__(self, url: str, places: list[int] = []):
        self.port = port_of(url)
        self.places, self.passed, self.links = sorted(places), 0, 0
        self.is_deaf = False  # loses what clients send, and keeps the connection
        self.cut: Callable[[], object] = lambda: None  # the latest of them

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.url = url_of(self._server)
        return self

    async def __aexit__(self, *_) -> None:
        self._server.close()
        self.cut()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.links += 1
        writers = [writer]
        self.cut = cut = lambda: [each.close() for each in writers]
        with contextlib.suppress(OSError):
            there, to_there = await asyncio.open_connection("127.0.0.1", self.port)
            writers.append(to_there)
            pumps = self._pump(reader, to_there, cut, is_up=True), self._pump(there, writer, cut)
            await asyncio.gather(*pumps)
        cut()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        cut: Callable[[], object],
        is_up: bool = False,
    ) -> None:
        with contextlib.suppress(OSError):
            while (data := await reader.read(1 << 16)) and not writer.is_closing():
                if is_up and self.is_deaf:
                    continue
                room = self.places[0] - self.passed if self.places else len(data)
                self.passed += min(room, len(data))
                writer.write(data[:room])
                if self.places and room <= len(data):
                    del self.places[0]
                    break
                await writer.drain()
        cut()


def port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


def contents(seed: int) -> list[Content]:
    """Text and binary, of no bytes to 1 MiB, each another. The same in each run."""
    chosen = random.Random(seed)
    lengths = [int(chosen.expovariate(1 / 4000)) for _ in range(300)] + [LARGEST - 8, 100_000]
    chosen.shuffle(lengths)
    some: list[Content] = ["", b"", "ü" * (LARGEST // 2), bytes(LARGEST)]
    for n, length in enumerate(lengths):
        at = chosen.randrange(len(some) + 1)
        some.insert(at, f"{n} " + "x" * length if n % 2 else b"%d " % n + chosen.randbytes(length))
    return some


def places(seed: int, some: list[Content]) -> list[int]:
    """Where it is cut: no later than everything has crossed both ways once."""
    return random.Random(seed).sample(range(2 * sum(map(len, some))), CUTS)


def hello(**what: Any) -> dict[str, Any]:
    """What a new session is asked for with."""
    return {
        "session": secrets.token_bytes(16),
        "secret": secrets.token_bytes(16),
        "messages": 100,
        "bytes": 1 << 20,
        **what,
    }


def raw(kind: int, rest: bytes = b"") -> Say:
    """A frame that is not one of the page's."""
    body = HEADER.pack(kind, 0, 0, 0) + rest

    async def say(link: Link) -> None:
        await link.socket.send(body + crc32c(body).to_bytes(4, "big"))

    return say


def say(kind: Msg, **what: Any) -> Say:
    return lambda link: link.send(kind, **what)


def message(number: int, payload: bytes = b"x", form: int = 2, **what: Any) -> Say:
    return say(Msg.DATA, number=number, form=form, payload=payload, **what)


async def damaged(link: Link) -> None:
    frame = Frame(Msg.DATA, fixed={"number": 1, "form": 2}, payload=b"abc").encode()
    await link.socket.send(frame[:-5] + bytes([frame[-5] ^ 1]) + frame[-4:])


# What either end refuses, whoever sends it: name, what is sent in a session, ERROR, Close.
FAULTS = [
    ("a gap", [message(1), message(3)], Code.PROTOCOL, 1002),
    ("an ACK of what was not sent", [say(Msg.ACK, last=1000)], Code.PROTOCOL, 1002),
    ("a DATA that acknowledges that", [message(1, last=1000)], Code.PROTOCOL, 1002),
    ("another form", [message(1, form=3)], Code.PROTOCOL, 1002),
    ("a text that is not UTF-8", [message(1, b"\xff", form=1)], Code.PROTOCOL, 1002),
    ("a byte too many", [message(1, bytes(LARGEST + 1))], Code.PROTOCOL, 1002),
    ("far too many", [message(1, bytes(LARGEST + 70_000))], 0, 1009),
    ("a handle", [message(1, handle=1)], Code.PROTOCOL, 1002),
    ("a type that nobody knows", [raw(0x55)], Code.UNSUPPORTED, 1002),
    ("a DATA cut off", [raw(Msg.DATA, bytes(27))], Code.PROTOCOL, 1002),
    ("an ACK with a byte too many", [raw(Msg.ACK, bytes(9))], Code.PROTOCOL, 1002),
    ("a field that nobody knows", [message(1, tlvs={0x7777: b""})], Code.UNSUPPORTED, 1002),
    ("damage", [damaged], Code.CORRUPT_FRAME, 1011),
]


class Both(Case):
    """What the tests of servers and those of clients share."""

    @contextlib.asynccontextmanager
    async def session(self, url: str, ask: dict[str, Any], shows: bool = True) -> AsyncIterator[Talk]:
        """A link with a session on it, which is left as by one who means to come back."""
        async with Dialer(url, make_link=Talk).link() as link:
            link.farewell = 1001
            await link.greeting()
            await link.send(Msg.RESUME, **ask)
            self.resumed = await self.answer(link)
            self.assertEqual(self.resumed.kind, Msg.RESUMED)
            if shows:
                await link.send(Msg.ACK, last=ask.get("last", 0))
            yield link

    async def answer(self, link: Link) -> Frame:
        async with asyncio.timeout(LIMIT):
            return await link.receive(0)

    async def numbers(self, link: Link, count: int) -> list[int]:
        """Of so many messages that come next."""
        numbers = []
        while len(numbers) < count:
            frame = await self.answer(link)
            if frame.kind == Msg.DATA:
                numbers.append(frame["number"])
        return numbers

    async def exchange(self, end: Client | Session, some: list[Content]) -> None:
        """Everything comes back, once and in order."""

        async def send() -> None:
            for content in some:
                await end.send(content)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(send())
            heard = [await end.receive() for _ in some]
        self.assertTrue(heard == some, [(len(a), len(b)) for a, b in zip(heard, some) if a != b][:3])
        self.assertTrue(end.inbox.empty())

    async def until_refused(self, link: Link, said: list, code: int, close: int) -> None:
        with self.assertRaises(LinkLost):
            for each in said:
                await each(link)
            while True:
                await self.answer(link)
        await link.socket.wait_closed()
        self.assertEqual((link.code, link.socket.close_code), (code, close), link.error)

    async def ask(self, url: str, ask: dict[str, Any]) -> Frame:
        """What RESUME is answered with, on a link of its own."""
        async with Dialer(url, make_link=Talk).link() as link:
            link.farewell = 1001
            await link.greeting()
            await link.send(Msg.RESUME, **ask)
            return await self.answer(link)

    async def assertWhy(self, url: str, ask: dict[str, Any], why: Why | None) -> None:
        answer = await self.ask(url, ask)
        self.assertEqual(answer.kind, Msg.NEWSESSION if why else Msg.RESUMED)
        self.assertEqual(answer.fixed.get("why"), why)


class ServerTest(Both):
    """`message_echo serve`."""

    @contextlib.asynccontextmanager
    async def echo(self, *args: str) -> AsyncIterator[str]:
        async with self.server("serve", "127.0.0.1:0", self.dir, *args) as url:
            yield url

    async def test_messages_cross_links_that_are_cut(self):
        some = contents(1)
        async with self.echo() as url, Relay(url, places(2, some)) as relay, Client(relay.url) as client:
            await self.exchange(client, some)
            await self.until(lambda: not client.session.unacknowledged)
            self.assertEqual(client.ends, [])
        self.assertEqual(relay.places, [], "not every cut has come about")
        self.assertGreaterEqual(relay.links, CUTS)

    async def test_more_than_fits_waits(self):
        """The example keeps and takes only so much while nobody takes what it sends."""
        some: list[Content] = [str(n) for n in range(MANY)]
        async with self.echo() as url, Client(url, Window(20)) as client:
            for content in some:
                await client.send(content)
            await self.until(lambda: client.inbox.qsize() == 20)
            await asyncio.sleep(0.3)
            self.assertEqual(client.inbox.qsize(), 20)
            self.assertLess(client.session.sent, MANY)
            self.assertEqual([await client.receive() for _ in some], some)

    async def test_it_keeps_to_our_window(self):
        async with self.echo() as url:
            for window, lengths, expected in [
                ({"messages": 3}, [1] * 6, 3),
                ({"bytes": 1000}, [400] * 6, 2),
                ({"bytes": 1000}, [5000, 0], 1),
                ({"bytes": 0}, [0, 0, 1, 0], 2),
                ({"messages": 1, "bytes": 0}, [5, 5], 1),
            ]:
                with self.subTest(window=window, lengths=lengths):
                    async with self.session(url, hello(**window)) as link:
                        for n, length in enumerate(lengths, 1):
                            await link.send(Msg.DATA, number=n, form=2, payload=bytes(length))
                        heard = await self.numbers(link, expected)
                        self.assertEqual(heard, list(range(1, expected + 1)))
                        with self.assertRaises(TimeoutError):
                            async with asyncio.timeout(0.1):
                                await self.numbers(link, 1)
                        await link.send(Msg.ACK, last=expected)
                        self.assertEqual(await self.numbers(link, 1), [expected + 1])

    async def test_more_than_its_window_is_refused(self):
        """Until it waits for us, it takes what comes, and acknowledges that."""
        async with self.echo() as url, self.session(url, hello(messages=1)) as link:
            sent = heard = 0
            room = self.resumed["messages"]
            with self.assertRaises(LinkLost):
                while True:
                    while sent <= heard + room:
                        sent += 1
                        await link.send(Msg.DATA, number=sent, form=1)
                    heard = max(heard, (await self.answer(link))["last"])
            self.assertEqual((link.code, link.socket.close_code), (Code.PROTOCOL, 1002))

    async def test_it_acknowledges_in_time(self):
        async with self.echo() as url:
            # The first one is acknowledged by the DATA that echoes it.
            for count, length in [(33, 1), (2, 64 << 10), (2, 0)]:
                async with self.session(url, hello(messages=1)) as link:
                    for n in range(count):
                        await link.send(Msg.DATA, number=n + 1, form=2, payload=bytes(length))
                    while (await self.answer(link))["last"] < count:
                        pass

    async def test_a_number_that_came_before_is_dropped(self):
        async with self.echo() as url, self.session(url, hello()) as link:
            for n in [1, 2, 2, 1, 3]:
                await link.send(Msg.DATA, number=n, form=1, payload=b"%d" % n)
            heard = [await self.answer(link) for _ in range(3)]
            self.assertEqual([data.payload for data in heard], [b"1", b"2", b"3"])

    async def test_volatile_messages_have_no_number(self):
        async with self.echo() as url, Client(url) as client:
            await self.until(lambda: client.session.link)
            await client.send("a", volatile=True)
            self.assertEqual(await client.receive(), "a")
            await client.send("b")
            self.assertEqual(await client.receive(), "b")
            self.assertEqual((client.session.highest, client.session.received), (1, 1))

    async def test_what_breaks_the_rules_ends_the_link_and_not_the_session(self):
        async with self.echo() as url:
            for name, said, code, close in FAULTS + [
                ("another RESUME", [say(Msg.RESUME, **hello())], Code.PROTOCOL, 1002),
                ("a RESUMED", [say(Msg.RESUMED, epoch=1, messages=1)], Code.PROTOCOL, 1002),
                ("a NEWSESSION", [say(Msg.NEWSESSION, why=1)], Code.PROTOCOL, 1002),
            ]:
                with self.subTest(name):
                    known = hello()
                    async with self.session(url, known) as link:
                        await self.until_refused(link, said, code, close)
                    known.update(epoch=1, secret=self.resumed["secret"])
                    async with self.session(url, known):
                        self.assertEqual(self.resumed["epoch"], 2)

    async def test_what_comes_before_a_session_is_refused(self):
        async with self.echo() as url:
            for name, said in [
                ("DATA", message(1)),
                ("ACK", say(Msg.ACK, last=0)),
                ("a window of nothing", say(Msg.RESUME, **hello(messages=0, bytes=0))),
                ("a window of no messages", say(Msg.RESUME, **hello(messages=0))),
                ("a new session that has heard something", say(Msg.RESUME, **hello(last=1))),
            ]:
                with self.subTest(name):
                    async with Dialer(url, make_link=Talk).link() as link:
                        await self.until_refused(link, [said], Code.PROTOCOL, 1002)
            async with Dialer(url).link() as link:
                await self.until_refused(link, [say(Msg.RESUME, **hello())], Code.PROTOCOL, 1002)

    async def test_a_lost_answer_is_asked_for_again(self):
        async with self.echo() as url:
            known = hello()
            answers = []
            for _ in range(3):
                async with self.session(url, known, shows=False):
                    answers.append(self.resumed)
            self.assertEqual([answer["epoch"] for answer in answers], [1, 2, 3])
            # Any of them may have arrived.
            async with self.session(url, known | {"epoch": 2, "secret": answers[1]["secret"]}):
                self.assertEqual(self.resumed["epoch"], 4)
            for answer in answers:
                await self.assertWhy(
                    url, known | {"epoch": answer["epoch"], "secret": answer["secret"]}, Why.EPOCH
                )
            await self.assertWhy(url, known, Why.EPOCH)

    async def test_who_does_not_know_the_secret_is_refused(self):
        async with self.echo() as url:
            known = hello()
            async with self.session(url, known):
                right = {"epoch": 1, "secret": self.resumed["secret"]}
            for wrong in [{"secret": bytes(16)}, {"epoch": 0}, {"epoch": 2}, {"session": bytes(16)}]:
                await self.assertWhy(url, known | right | wrong, Why.UNKNOWN)
            async with self.session(url, known | right):
                self.assertEqual(self.resumed["epoch"], 2)

    async def test_numbers_that_cannot_be_end_the_session(self):
        async with self.echo() as url:
            for last in [0, 3]:
                known = hello()
                async with self.session(url, known) as link:
                    known.update(epoch=1, secret=self.resumed["secret"])
                    await message(1)(link)
                    await message(2)(link)
                    await self.numbers(link, 2)
                    await link.send(Msg.ACK, last=1)
                for _ in range(2):
                    await self.assertWhy(url, known | {"last": last}, Why.NUMBERS)

    async def test_who_comes_last_takes_over(self):
        known = hello()
        async with (
            self.echo() as url,
            self.session(url, known) as first,
            Dialer(url, make_link=Talk).link() as second,
        ):
            known.update(epoch=1, secret=self.resumed["secret"])
            await second.greeting()
            async with self.session(url, known) as third:
                with self.assertRaises(LinkLost):
                    await self.answer(first)
                self.assertEqual((first.socket.close_code, first.socket.close_reason), (1000, "superseded"))
                # What was delayed on its way: that link came before the third.
                known.update(epoch=2, secret=self.resumed["secret"])
                await second.send(Msg.RESUME, **known)
                self.assertEqual((await self.answer(second))["why"], Why.EPOCH)
                await message(1)(third)
                self.assertEqual(await self.numbers(third, 1), [1])

    async def test_a_server_that_has_forgotten_says_so(self):
        async with contextlib.AsyncExitStack() as stack:
            async with self.echo() as url:
                relay = await stack.enter_async_context(Relay(url))
                client = await stack.enter_async_context(Client(relay.url))
                await self.exchange(client, ["a"])
                await self.until(lambda: not client.session.unacknowledged)
                relay.is_deaf = True
                await client.send("b")
                relay.port = 1  # where nobody listens
                relay.cut()
                await self.until(lambda: not client.session.link)
            await client.send("c")
            relay.is_deaf = False
            async with self.echo() as url:
                relay.port = port_of(url)
                await self.until(lambda: client.ends)
                self.assertEqual(client.ends, [Why.UNKNOWN])
                self.assertEqual(
                    client.lost, [Lost("b", maybe_delivered=True), Lost("c", maybe_delivered=False)]
                )
                await self.exchange(client, [lost.content for lost in client.lost])

    async def test_a_session_ends_with_its_client(self):
        async with self.echo() as url:
            for farewell, why in [(1001, None), (1000, Why.CLOSED)]:
                known = hello()
                async with self.session(url, known) as link:
                    link.farewell = farewell
                    known.update(epoch=1, secret=self.resumed["secret"])
                await self.assertWhy(url, known, why)

    async def test_a_session_without_a_link_expires(self):
        async with self.echo("1") as url:
            known = hello()
            async with self.session(url, known):
                known.update(epoch=1, secret=self.resumed["secret"])
                self.assertEqual(self.resumed["keep"], 1)
            # It waits from when the server has noticed the end of the link.
            answer = self.resumed
            while answer.kind == Msg.RESUMED:
                known.update(epoch=answer["epoch"], secret=answer["secret"])
                await asyncio.sleep(1.3)
                answer = await self.ask(url, known)
            self.assertEqual(answer["why"], Why.EXPIRED)

    async def test_a_session_that_its_server_ends_is_followed_by_another(self):
        async with self.echo() as url, self.session(url, hello()) as link:
            await message(1, b"bye", form=1)(link)
            while (frame := await self.answer(link)).kind != Msg.NEWSESSION:
                pass
            self.assertEqual(frame["why"], Why.CLOSED)
            await message(2)(link)
            await link.send(Msg.ACK, last=0)
            await link.send(Msg.RESUME, **hello())
            self.assertEqual((await self.answer(link)).kind, Msg.RESUMED)
        async with self.echo() as url, Client(url) as client:
            await self.exchange(client, ["a"])
            await client.send("bye")
            await self.until(lambda: client.ends)
            self.assertEqual(client.ends, [Why.CLOSED])
            await self.exchange(client, ["b"])

    async def test_files_and_messages_share_a_link(self):
        some = contents(5)
        path = self.dir / "a file"
        path.write_bytes(random.Random(6).randbytes(3 << 20))
        async with self.echo() as url, Client(url) as client:
            await self.until(lambda: client.session.link)
            source = Source(secrets.token_bytes(16), "b", path)
            sender = Sender(client.session.link, source, was_offered=False)
            await asyncio.gather(sender.run(), self.exchange(client, some))
        self.assertEqual((self.dir / "b").read_bytes(), path.read_bytes())


class PythonServerTest(ServerTest):
    """The server of messages.py answers as ours does."""

    @contextlib.asynccontextmanager
    async def echo(self, *args: str) -> AsyncIterator[str]:
        async def application(session: Session) -> None:
            while True:
                _, number, content = await session.inbox.get()
                await session.take(number)
                if content == "bye":
                    return await server.give_up(session, Why.CLOSED)
                await session.send(content, volatile=number == 0)

        server = Server(application, **{"keep": int(keep) for keep in args})
        async with await server.serve() as listening:
            yield url_of(listening)

    test_files_and_messages_share_a_link = None  # It accepts no files.
    test_more_than_fits_waits = test_more_than_its_window_is_refused = None  # It keeps whatever there is.


class ClientTest(Both):
    """`message_echo dial`."""

    async def test_it_dials_over_links_that_are_cut(self):
        some, sessions = contents(3), []
        async with self.serve(sessions) as server, Relay(server.url, places(4, some)) as relay:
            async with self.dial(relay.url):
                await self.until(lambda: sessions)
                await self.exchange(sessions[0], some)
                await self.until(lambda: not sessions[0].unacknowledged)
        self.assertEqual(relay.places, [], "not every cut has come about")
        self.assertEqual(len(sessions), 1)

    async def test_it_keeps_to_our_window_as_a_client(self):
        some: list[Content] = [str(n) for n in range(MANY)]
        sessions: list[Session] = []
        async with self.serve(sessions, window=Window(20)) as server, self.dial(server.url):
            await self.until(lambda: sessions)
            for content in some:
                await sessions[0].send(content)
            await self.until(lambda: sessions[0].inbox.qsize() == 20)
            self.assertEqual([await sessions[0].receive() for _ in some], some)

    async def test_it_refuses_what_breaks_the_rules_as_a_client(self):
        resumed = say(Msg.RESUMED, epoch=1, messages=9, bytes=9)
        in_session = [(name, [resumed, *said], code, close) for name, said, code, close in FAULTS]
        others = [
            ("DATA before an answer", [message(1)], Code.PROTOCOL, 1002),
            ("ACK before an answer", [say(Msg.ACK, last=0)], Code.PROTOCOL, 1002),
            ("a RESUME", [say(Msg.RESUME, **hello())], Code.PROTOCOL, 1002),
            ("another RESUMED", [resumed, resumed], Code.PROTOCOL, 1002),
            ("a window of no messages", [say(Msg.RESUMED, epoch=1, bytes=9)], Code.PROTOCOL, 1002),
            ("an epoch that is no later", [say(Msg.RESUMED, messages=9, bytes=9)], Code.PROTOCOL, 1002),
        ]

        async def refused(name: str, said: list, code: int, close: int) -> None:
            async def play(link: Talk) -> None:
                await self.answer(link)
                with self.subTest(name):
                    await self.until_refused(link, said, code, close)

            await self.play(play)

        await asyncio.gather(*(refused(*fault) for fault in in_session + others))

    async def test_numbers_that_cannot_be_end_the_session_at_a_client(self):
        async def answer_wrongly(link: Talk) -> None:
            self.assertEqual((await self.answer(link))["epoch"], 0)
            wrong = say(Msg.RESUMED, epoch=1, messages=9, bytes=9, last=1)
            await self.until_refused(link, [wrong], Code.INTERNAL, 1011)

        await self.play(answer_wrongly)

    async def test_it_goes_on_with_what_it_has_heard(self):
        asked: list[Frame] = []
        secret = secrets.token_bytes(16)

        async def begin(link: Talk) -> None:
            asked.append(await self.answer(link))
            await link.send(Msg.NEWSESSION, why=Why.BUSY, after=20)
            asked.append(await self.answer(link))
            await link.send(Msg.RESUMED, epoch=7, messages=9, bytes=9, secret=secret, keep=9)
            self.assertEqual((await self.answer(link)).fixed, {"last": 0})
            await message(1, b"a")(link)
            self.assertEqual(await self.numbers(link, 1), [1])

        async def lose_the_answer(link: Talk) -> None:
            asked.append(await self.answer(link))

        async def supersede(link: Talk) -> None:
            asked.append(await self.answer(link))
            await link.socket.close(1000, "superseded")

        async def go_on(link: Talk) -> None:
            asked.append(await self.answer(link))
            await link.send(Msg.RESUMED, epoch=8, messages=9, bytes=9, secret=secret)
            # It has received no acknowledgement for its first message.
            self.assertEqual(await self.numbers(link, 1), [1])

        await self.play(begin, lose_the_answer, supersede, go_on)
        self.assertEqual([ask["epoch"] for ask in asked[:2]], [0, 0])
        known = [(ask["session"], ask["epoch"], ask["secret"], ask["last"]) for ask in asked[2:]]
        self.assertEqual(known, [(asked[1]["session"], 7, secret, 1)] * 3)

    async def test_it_begins_anew_when_its_session_is_gone(self):
        async def forget(link: Talk) -> None:
            names = set()
            for why in [Why.UNKNOWN, Why.EXPIRED, Why.OVERFLOW, Why.EPOCH, Why.NUMBERS, Why.CLOSED, 99]:
                ask = await self.answer(link)
                self.assertEqual((ask.kind, ask["epoch"], ask["last"]), (Msg.RESUME, 0, 0))
                names.add(ask["session"])
                await link.send(Msg.RESUMED, epoch=1, messages=9, bytes=9, keep=9)
                if len(names) == 1:
                    await message(1, b"a")(link)
                # What was not acknowledged in one session is sent in the next one.
                self.assertEqual(await self.numbers(link, 1), [1])
                await link.send(Msg.NEWSESSION, why=why)
            self.assertEqual(len(names), 7)

        await self.play(forget)

    async def test_it_says_nothing_of_messages_to_who_does_not_speak_of_them(self):
        async with await Listener().serve() as server, self.dial(url_of(server)) as client:
            self.assertIn(b"does not support messages", await client.stdout.readline())

    @contextlib.asynccontextmanager
    async def dial(self, url: str) -> AsyncIterator[asyncio.subprocess.Process]:
        async with self.running("dial", url, PAUSE) as program, asyncio.timeout(LIMIT):
            yield program

    @contextlib.asynccontextmanager
    async def serve(self, sessions: list[Session], **what: Any) -> AsyncIterator[Server]:
        async def application(session: Session) -> None:
            sessions.append(session)

        server = Server(application, **what)
        async with await server.serve() as listening:
            server.url = url_of(listening)
            yield server

    async def play(self, *plays: Callable[[Talk], Awaitable[None]]) -> None:
        """The example dials a server that plays one of these on each link."""
        script = Script(list(plays))
        async with await script.serve() as server, self.dial(url_of(server)):
            await asyncio.wait_for(script.done, LIMIT)


class Script(Listener):
    """Plays something on each link, and then loses it."""

    def __init__(self, plays: list[Callable[[Talk], Awaitable[None]]]):
        super().__init__(Talk)
        self.plays = plays
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def answer(self, link: Talk, tasks: asyncio.TaskGroup) -> None:
        if self.plays:
            try:
                await self.plays.pop(0)(link)
                if not self.plays:
                    self.done.set_result(None)
            except BaseException as error:
                self.done.set_exception(error)
        link.socket.transport.abort()


if __name__ == "__main__":
    main()
