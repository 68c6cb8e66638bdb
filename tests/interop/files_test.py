"""files.py and the command `bowline` send each other files: `files_test.py BOWLINE`.

Each test has its own folder, and its own server at a free port. What happens to a link happens where a byte
of the file is, and not at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from blake3 import blake3
from websockets.exceptions import InvalidStatus

from case import LIMIT, Case, main, url_of
from files import BLAKE3, DAMAGE, GAP, Client, Folder, Part, Receiver, Sender, Source
from wire import LARGEST, NAME, VALIDATOR, Cancelled, Code, Frame, Kind, Link, LinkLost

LENGTH = (3 << 20) + 17
CUTS = 20


Action = Callable[[Link], Awaitable[None]]


async def cut(link: Link) -> None:
    """The connection is lost, with whatever is on its way."""
    link.socket.transport.abort()


class Plan:
    """What happens to the chunks of a test, over all its links.

    Some come damaged, by their numbers from 1 on. When one has passed that reaches beyond a place, something
    is done.
    """

    def __init__(self, at: list[tuple[int, Action]] = [], damage: list[int] = []):
        self.at, self.damage, self.chunks = list(at), damage, 0

    def __call__(self, *args) -> Link:
        return Hostile(self, *args)


class Hostile(Link):
    """A link to which happens what a plan says."""

    def __init__(self, plan: Plan, *args):
        super().__init__(*args)
        self.plan = plan

    async def write(self, frame: Frame) -> None:
        if self._is_damaged(frame):
            await self.socket.send(spoiled(frame.encode()))
        else:
            await super().write(frame)
            await self._look(frame)

    async def _dispatch(self, frame: Frame) -> None:
        frame.is_damaged |= self._is_damaged(frame)
        await super()._dispatch(frame)
        await self._look(frame)

    def _is_damaged(self, frame: Frame) -> bool:
        self.plan.chunks += frame.kind == Kind.DATA
        return frame.kind == Kind.DATA and self.plan.chunks in self.plan.damage

    async def _look(self, frame: Frame) -> None:
        if frame.kind == Kind.DATA and self.plan.at:
            place, action = self.plan.at[0]
            if frame["offset"] + len(frame.payload) > place:
                del self.plan.at[0]
                await action(self)


def spoiled(message: bytes) -> bytes:
    """With one bit of its payload turned over."""
    return message[:-5] + bytes([message[-5] ^ 1]) + message[-4:]


def cuts(*places: int) -> Plan:
    return Plan([(place, cut) for place in places])


def random_cuts(seed: int) -> Plan:
    """The same in each run."""
    return cuts(*sorted(random.Random(seed).sample(range(LENGTH), CUTS)))


Step = Callable[[Link, int, bytes], Awaitable[None]]


def chunk(start: float, length: float, content: bytes) -> dict[str, Any]:
    """So many KiB of it, as DATA has them."""
    at = int(start * 1024)
    return {"fixed": {"offset": at}, "payload": content[at : at + int(length * 1024)]}


def data(start: float, length: float) -> Step:
    return lambda link, handle, content: link.write(Frame(Kind.DATA, handle, **chunk(start, length, content)))


def damaged(start: float, length: float) -> Step:
    async def say(link: Link, handle: int, content: bytes) -> None:
        await link.socket.send(spoiled(Frame(Kind.DATA, handle, **chunk(start, length, content)).encode()))

    return say


async def fin(link: Link, handle: int, content: bytes) -> None:
    await link.send(Kind.FIN, handle, length=len(content), digest=blake3(content).digest())


class FilesTest(Case):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.theirs, self.ours = self.dir / "theirs", self.dir / "ours"
        self.theirs.mkdir()
        self.ours.mkdir()
        self.content = random.Random(1).randbytes(LENGTH)
        self.path = self.dir / "a file"
        self.path.write_bytes(self.content)

    # ----- bowline serve -----

    async def test_a_file_goes_to_a_server_and_comes_back(self):
        async with self.serve() as url:
            client = Client(url)
            done = await client.send(self.source("a/file"))
            self.assertFalse(done["there"])
            self.assertEqual((self.theirs / "a/file").read_bytes(), self.content)
            await client.fetch(self.part("a/file"), self.ours / "file")
            self.assertEqual((self.ours / "file").read_bytes(), self.content)

    async def test_nothing_is_a_file_too(self):
        self.path.write_bytes(b"")
        async with self.serve() as url:
            await Client(url).send(self.source("nothing"))
            await Client(url).fetch(self.part("nothing"), self.ours / "nothing")
        self.assertEqual((self.ours / "nothing").read_bytes(), b"")

    async def test_an_upload_goes_on_where_links_were_cut(self):
        plan, source = random_cuts(2), self.source("file")
        async with self.serve() as url:
            await Client(url, make_link=plan).send(source)
        self.assertEqual(plan.at, [], "not every cut has come about")
        self.assertEqual(source.resumed, sorted(source.resumed))
        self.assertGreater(source.resumed[-1], LENGTH // 2)
        self.assertEqual((self.theirs / "file").read_bytes(), self.content)

    async def test_a_download_goes_on_where_links_were_cut(self):
        plan, part = random_cuts(3), self.part("file")
        (self.theirs / "file").write_bytes(self.content)
        async with self.serve() as url:
            await Client(url, make_link=plan).fetch(part, self.ours / "file")
        self.assertEqual(plan.at, [], "not every cut has come about")
        self.assertGreater(part.resumed[-1], LENGTH // 2)
        self.assertEqual((self.ours / "file").read_bytes(), self.content)

    async def test_a_new_process_goes_on_with_the_id_alone(self):
        (self.theirs / "there").write_bytes(self.content)
        up, down = secrets.token_bytes(16), secrets.token_bytes(16)
        async with self.serve() as url:
            for place in [1 << 20, 2 << 20]:
                source = Source(up, "file", self.path)
                with self.assertRaises(LinkLost):
                    await self.send_once(url, source, cuts(place))
                with self.assertRaises(LinkLost):
                    async with Client(url, make_link=cuts(place)).link() as link:
                        await self.receive(link, Part(self.ours, down, "there"))
            source, part = Source(up, "file", self.path), Part(self.ours, down, "there")
            await Client(url).send(source)
            await Client(url).fetch(part, self.ours / "there")
        self.assertGreater(source.resumed[0], 0)
        self.assertGreater(part.resumed[0], 0)
        self.assertEqual((self.theirs / "file").read_bytes(), self.content)
        self.assertEqual((self.ours / "there").read_bytes(), self.content)

    async def test_damaged_chunks_are_sent_again(self):
        (self.theirs / "there").write_bytes(self.content)
        async with self.serve() as url:
            await Client(url, make_link=Plan(damage=[3, 4, 9, 30])).send(self.source("file"))
            await Client(url, make_link=Plan(damage=[1, 7, 8, 9])).fetch(
                self.part("there"), self.ours / "there"
            )
        self.assertEqual((self.theirs / "file").read_bytes(), self.content)
        self.assertEqual((self.ours / "there").read_bytes(), self.content)

    async def test_a_path_that_damages_everything_is_given_up(self):
        async with self.serve() as url:
            with self.assertCode(Code.CORRUPT_FRAME):
                await Client(url, make_link=Plan(damage=list(range(1, 1000)))).send(self.source("file"))

    async def test_a_finished_file_is_confirmed_again(self):
        source = self.source("file")
        async with self.serve() as url:
            await Client(url).send(source)
            done = await Client(url).send(source)
        self.assertTrue(done["there"])

    async def test_the_same_file_is_there_already(self):
        (self.theirs / "file").write_bytes(self.content)
        plan = Plan()
        async with self.serve() as url:
            done = await Client(url, make_link=plan).send(self.source("file"))
        self.assertTrue(done["there"])
        self.assertLessEqual(plan.chunks, 1)

    async def test_a_name_that_another_file_has_is_refused(self):
        for other in [b"another", self.content[:-1] + b"x"]:
            (self.theirs / "file").write_bytes(other)
            async with self.serve() as url:
                with self.assertCode(Code.EXISTS):
                    await Client(url).send(self.source("file"))
            self.assertEqual((self.theirs / "file").read_bytes(), other)

    async def test_a_name_that_leads_outside_is_refused(self):
        async with self.serve() as url:
            for name in ["../file", "/file", "a//b", "nul"]:
                with self.assertCode(Code.NAME_INVALID):
                    await Client(url).send(self.source(name))

    async def test_a_file_that_is_not_there_is_refused(self):
        async with self.serve() as url:
            with self.assertCode(Code.NOT_FOUND):
                await Client(url).fetch(self.part("file"), self.ours / "file")

    async def test_what_there_is_is_listed(self):
        (self.theirs / "a folder").mkdir()
        (self.theirs / "a folder/文").write_bytes(self.content)
        (self.theirs / "b").write_bytes(b"12")
        file = f"{LENGTH} 文"
        listed = []
        async with self.serve() as url:
            for n, name in enumerate(["", "a folder", "a folder/文"]):
                lines = await Client(url).list(self.part("listing"), self.ours / str(n), name)
                # Without the times and the permissions.
                listed.append([" ".join([line[0], *line.split(" ", 4)[3:]]) for line in lines])
        everything = ["d 0 a folder", f"f {LENGTH} a folder/文", "f 2 b"]
        self.assertEqual(listed, [everything, [f"f {file}"], [f"f {file}"]])

    async def test_another_digest_is_refused_and_the_part_thrown_away(self):
        source = self.source("file")
        source.digest = lambda length=None: bytes(32)
        async with self.serve() as url:
            with self.assertCode(Code.DIGEST_MISMATCH, discard=True):
                await Client(url).send(source)
            source = Source(source.id, "file", self.path)
            await Client(url).send(source)
        self.assertEqual(source.resumed, [0])

    async def test_a_source_that_has_changed_begins_anew_under_another_id(self):
        source = self.source("file")
        async with self.serve() as url:
            with self.assertRaises(LinkLost):
                await self.send_once(url, source, cuts(1 << 20))
            self.path.write_bytes(self.content[1:])
            with self.assertCode(Code.SOURCE_CHANGED):
                await Client(url).send(Source(source.id, "file", self.path))
            await Client(url).send(self.source("file"))
        self.assertEqual((self.theirs / "file").read_bytes(), self.content[1:])

    async def test_who_was_overtaken_is_fenced(self):
        source = self.source("file")

        async def overtake(_: Link) -> None:
            """Another process goes on with it, for a while."""
            with self.assertRaises(LinkLost):
                await self.send_once(url, Source(source.id, "file", self.path), cuts(2 << 20))

        async with self.serve() as url:
            for plan in [Plan([(1 << 20, overtake)]), Plan()]:
                with self.assertCode(Code.FENCED):
                    await self.send_once(url, source, plan)

    async def test_a_wrong_token_is_refused(self):
        async with self.serve(BOWLINE_TOKEN="right") as url:
            with self.assertRaises(InvalidStatus) as refused:
                await Client(url, token="wrong").send(self.source("file"))
            self.assertEqual(refused.exception.response.status_code, 401)
            await Client(url, token="right").send(self.source("file"))

    async def test_a_sender_pauses_and_goes_on(self):
        async with (
            self.serve() as url,
            Client(url, make_link=Plan([(1 << 20, lambda _: sender.pause())])).link() as link,
        ):
            sender = Sender(link, self.source("file"), was_offered=False)
            running = asyncio.create_task(sender.run())
            await self.until(lambda: sender.pauses and sender.received == sender.sent)
            self.assertLess(sender.sent, LENGTH)
            await sender.resume()
            await running
        self.assertEqual((self.theirs / "file").read_bytes(), self.content)

    async def test_a_receiver_pauses_and_goes_on(self):
        (self.theirs / "file").write_bytes(self.content)
        part = self.part("file")
        async with (
            self.serve() as url,
            Client(url, make_link=Plan([(1 << 20, lambda _: receiver.pause())])).link() as link,
        ):
            offer = await link.request(part.id, part.name, was_offered=True)
            receiver = Receiver(link, offer, part, self.ours / "file", is_requested=True)
            running = asyncio.create_task(receiver.run())
            await self.until(lambda: receiver.heard)
            self.assertLess(part.received, LENGTH)
            await receiver.resume()
            await running
        self.assertEqual((self.ours / "file").read_bytes(), self.content)

    async def test_a_cancelled_upload_is_kept(self):
        self.assertGreater(await self.cancel_and_send_again(discard=False), 0)

    async def test_a_cancelled_upload_is_thrown_away(self):
        self.assertEqual(await self.cancel_and_send_again(discard=True), 0)

    async def cancel_and_send_again(self, discard: bool) -> int:
        """Where it went on."""
        source = self.source("file")
        plan = Plan([(1 << 20, lambda _: sender.cancel(discard))])
        async with self.serve() as url:
            async with Client(url, make_link=plan).link() as link:
                sender = Sender(link, source, was_offered=False)
                with self.assertCode(Code.CANCELLED, discard):
                    await sender.run()
            await Client(url).send(source)
        return source.resumed[-1]

    # ----- either server, and a peer that sends one frame after the other -----

    async def test_a_receiver_knows_what_was_under_way(self):
        """Each step is a chunk of so many KiB, or FIN, and what the receiver asks for by a rewind."""
        gap = [
            (data(0, 1), None),
            (data(2, 1), (1, GAP)),
            (data(3, 1), None),  # It was under way, and so is what follows it.
            (data(3.5, 0.5), (1, GAP)),
            (data(4, 1), None),
            (fin, None),
            (data(1, 1), None),
            (data(4, 1), (2, GAP)),  # The sender has gone back.
            (data(2, 6), None),
            (fin, None),
        ]
        damage = [
            (data(0, 1), None),
            (damaged(1, 1), (1, DAMAGE)),
            (data(2, 1), None),
            (damaged(3, 1), None),
            (data(4, 1), None),
            (damaged(6, 1), (1, DAMAGE)),  # It may be any.
            (data(2, 1), None),
            (data(1, 1), None),
            (fin, (2, GAP)),
            (data(2, 6), None),
            (fin, None),
        ]
        self.path.write_bytes(self.content[: 8 << 10])
        for serving, steps in itertools.product(range(2), [gap, damage]):
            source = self.source(secrets.token_hex(8))
            async with self.servers()[serving] as url, self.attached(url, source) as (link, handle, _):
                for n, (say, rewind) in enumerate(steps):
                    await say(link, handle, self.path.read_bytes())
                    await link.probe()
                    if rewind:
                        self.assertEqual(await self.rewind(link, handle), rewind, f"step {n}")
                await self.until_done(link, handle)
            self.assertEqual((self.theirs / source.name).read_bytes(), self.path.read_bytes())

    async def test_what_is_durable_outlives_a_crash(self):
        source = self.source("file")
        async with self.running("serve", "--listen", "127.0.0.1:0", "--dir", self.theirs) as server:
            url = (await server.stdout.readline()).decode().split()[-1]
            async with self.attached(url, source) as (link, handle, accept):
                await self.send_chunks(link, handle, accept["credit"], upto=2 << 20)
                durable = await self.durable(link, handle, at_least=1 << 20)
                server.kill()
        async with self.serve() as url, self.attached(url, source) as (_, _, accept):
            self.assertGreaterEqual(accept["resume"], durable)
            self.assertEqual(accept["digest"], source.digest(accept["resume"]))

    async def test_a_pause_of_the_sender_voids_all_credit(self):
        for serving in self.servers():
            source = self.source(secrets.token_hex(8))
            async with serving as url, self.attached(url, source) as (link, handle, accept):
                self.assertGreaterEqual(accept["credit"], 2 << 10)
                await data(0, 1)(link, handle, self.content)
                await link.send(Kind.PAUSE, handle, offset=1 << 10)
                await data(1, 1)(link, handle, self.content)
                with self.assertCode(Code.PROTOCOL):
                    await self.until_done(link, handle)

    async def test_a_sender_believes_no_credit_from_before_its_pause(self):
        (self.theirs / "there").write_bytes(self.content)
        for serving in self.servers():
            async with serving as url, Client(url).link() as link:
                handle = (await link.request(secrets.token_bytes(16), "there", was_offered=True)).handle
                await link.send(Kind.ACCEPT, handle, credit=1 << 10, largest=LARGEST, epoch=1)
                self.assertEqual((await self.next(link, handle, Kind.DATA))["offset"], 0)
                await link.send(Kind.PAUSE, handle)
                self.assertEqual((await self.next(link, handle, Kind.PAUSE))["answer"], 1)
                # This was promised before that pause had arrived.
                credit = {"received": 1 << 10, "credit": 2 << 10}
                await link.send(Kind.RESUME, handle, heard=0)
                await link.send(Kind.ACK, handle, **credit)
                with self.assertRaises(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await self.next(link, handle, Kind.DATA)
                await link.send(Kind.RESUME, handle, heard=1)
                await link.send(Kind.ACK, handle, **credit)
                self.assertEqual((await self.next(link, handle, Kind.DATA))["offset"], 1 << 10)

    def servers(self) -> list[contextlib.AbstractAsyncContextManager[str]]:
        """Ours, and that of files.py."""
        return [self.serve(), self.listen(Plan())]

    @contextlib.asynccontextmanager
    async def attached(self, url: str, source: Source) -> AsyncIterator[tuple[Link, int, Frame]]:
        """A link, and a transfer on it that is accepted."""
        async with Client(url).link() as link:
            handle = link.open()
            tlvs = {NAME: source.name.encode(), VALIDATOR: source.validator}
            look = {"length": source.length, "modified": source.modified}
            await link.send(Kind.OFFER, handle, id=source.id, algorithm=BLAKE3, tlvs=tlvs, **look)
            yield link, handle, await self.next(link, handle, Kind.ACCEPT)

    async def next(self, link: Link, handle: int, kind: Kind) -> Frame:
        while (frame := await link.receive(handle)).kind != kind:
            pass
        return frame

    async def rewind(self, link: Link, handle: int) -> tuple[float, int]:
        """The next one, in KiB."""
        while not (ack := await self.next(link, handle, Kind.ACK))["rewind"]:
            pass
        return ack["received"] / 1024, ack["rewind"]

    async def until_done(self, link: Link, handle: int) -> None:
        while (frame := await link.receive(handle)).kind != Kind.DONE:
            self.assertFalse(frame.kind == Kind.ACK and frame["rewind"], frame)

    async def send_chunks(self, link: Link, handle: int, credit: int, upto: int) -> None:
        for at in range(0, upto, LARGEST):
            while credit < at + LARGEST:
                credit = (await self.next(link, handle, Kind.ACK))["credit"]
            await data(at >> 10, LARGEST >> 10)(link, handle, self.content)

    async def durable(self, link: Link, handle: int, at_least: int) -> int:
        while (durable := (await self.next(link, handle, Kind.ACK))["durable"]) < at_least:
            pass
        return durable

    # ----- bowline send, bowline fetch -----

    async def test_the_command_sends_here_over_links_that_are_cut(self):
        async with self.listen(cuts(300_000, 2_000_000)) as url:
            await self.run_command("send", self.path, url)
        self.assertEqual((self.theirs / "a file").read_bytes(), self.content)

    async def test_the_command_fetches_from_here_over_links_that_are_cut(self):
        (self.theirs / "file").write_bytes(self.content)
        async with self.listen(cuts(300_000, 2_000_000)) as url:
            await self.run_command("fetch", f"{url}/file", "-o", self.ours / "file")
        self.assertEqual((self.ours / "file").read_bytes(), self.content)

    async def test_the_command_sends_and_fetches_over_damage(self):
        async with self.listen(Plan(damage=[2, 20, 21, 22, 40])) as url:
            await self.run_command("send", self.path, url)
        self.assertEqual((self.theirs / "a file").read_bytes(), self.content)
        async with self.listen(Plan(damage=[1, 2, 3, 20, 40])) as url:
            await self.run_command("fetch", f"{url}/a file", "-o", self.ours / "file")
        self.assertEqual((self.ours / "file").read_bytes(), self.content)

    async def test_the_command_hears_that_a_name_is_taken(self):
        (self.theirs / "a file").write_bytes(b"another")
        async with self.listen(Plan()) as url:
            said = await self.run_command("send", self.path, url, code=1)
        self.assertIn("another file of that name", said)

    async def test_the_command_hears_that_there_is_no_file(self):
        async with self.listen(Plan()) as url:
            said = await self.run_command("fetch", f"{url}/nothing", "-o", self.ours / "file", code=1)
        self.assertIn("the server has no such file", said)

    async def test_the_command_hears_that_this_server_knows_no_listing(self):
        async with self.listen(Plan()) as url:
            said = await self.run_command("list", url, code=1)
        self.assertIn("this server's version cannot list what it holds", said)

    # ----- shared parts -----

    @contextlib.asynccontextmanager
    async def serve(self, **env: str) -> AsyncIterator[str]:
        """`bowline serve` over the folder `theirs`."""
        async with self.server("serve", "--listen", "127.0.0.1:0", "--dir", self.theirs, **env) as url:
            yield url

    @contextlib.asynccontextmanager
    async def listen(self, plan: Plan) -> AsyncIterator[str]:
        """A server of files.py over the folder `theirs`."""
        staging = self.dir / "staging"
        staging.mkdir(exist_ok=True)
        async with await Folder(self.theirs, staging, plan).serve() as server, asyncio.timeout(LIMIT):
            yield url_of(server)

    async def run_command(self, *args: str | Path, code: int = 0) -> str:
        command = await self.start(*args)
        try:
            async with asyncio.timeout(LIMIT):
                _, said = await command.communicate()
        finally:
            if command.returncode is None:
                command.kill()
        self.assertEqual(command.returncode, code, said.decode())
        return said.decode()

    def source(self, name: str) -> Source:
        return Source(secrets.token_bytes(16), name, self.path)

    def part(self, name: str) -> Part:
        return Part(self.ours, secrets.token_bytes(16), name)

    async def send_once(self, url: str, source: Source, plan: Plan) -> None:
        async with Client(url, make_link=plan).link() as link:
            await Sender(link, source, was_offered=False).run()

    async def receive(self, link: Link, part: Part) -> None:
        offer = await link.request(part.id, part.name, was_offered=True)
        await Receiver(link, offer, part, self.ours / part.name, is_requested=True).run()

    @contextlib.contextmanager
    def assertCode(self, code: Code, discard: bool = False) -> Iterator[None]:
        with self.assertRaises(Cancelled) as caught:
            yield
        self.assertEqual((caught.exception.code, caught.exception.discard), (code, discard))


if __name__ == "__main__":
    main()
