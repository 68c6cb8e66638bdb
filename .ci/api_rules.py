"""Holds the listings of the public API in .ci/api.d against the rules in CONTRIBUTING.md.

What the rules except stands in .ci/api.d/exceptions, each with its reason. An exception that nothing needs is a mistake, too.
"""

import re
import sys
from pathlib import Path

LISTS = Path(__file__).parent / "api.d"
CRATES = ("core", "handshake", "store", "host", "tokio", "blocking")
ADAPTERS = ("tokio", "blocking")
# As neutral as the standard library.
NEUTRAL = {"bytes", "http"}
# What users may expect of every type.
WANTED = {"Debug", "Send"}
# And of an error: so that `?` can pass it on, also between threads.
WANTED_OF_ERRORS = {"Error", "Sync"}
# Moving bytes and items is what the adapters are for; what happens on a drop shows elsewhere.
OWN_TRAITS = {"AsyncRead", "AsyncWrite", "Read", "Write", "Stream", "Sink", "Iterator", "Drop"}

# Markers, qualifiers of a function, the kind of item, and the rest.
LINE = r"((?:#\[\w+\] )*)(?:(?:const|async|unsafe) (?=\w+ fn |fn ))*(\w+) (.*)"


class Exceptions:
    """Lines such as `closed core::Role, core::frame::Role: a connection has two ends`."""

    def __init__(self, path):
        self.all, self.used = set(), set()
        for line in path.read_text().splitlines():
            if line and not line.startswith("#"):
                found = re.fullmatch(r"(closed|names|only|differs) (.+?): (.+)", line)
                if not found:
                    raise SystemExit(f"{path}: not an exception: {line}")
                for name in found[2].split(", "):
                    if (found[1], name) in self.all:
                        raise SystemExit(f"{path}: twice: {found[1]} {name}")
                    self.all.add((found[1], name))

    def has(self, kind, name):
        """Whether this, or what it belongs to, is excepted."""
        while True:
            if (kind, name) in self.all:
                self.used.add((kind, name))
                return True
            if name.count("::") < 2:
                return False
            name = name.rsplit("::", 1)[0]

    def unused(self):
        return sorted(self.all - self.used)


class List:
    """One crate's public items, by name."""

    def __init__(self, crate):
        self.types, self.open, self.traits, self.functions, self.others = {}, set(), {}, {}, {}
        self.names, owners = set(), set()
        for line in (LISTS / f"{crate}.txt").read_text().splitlines():
            marks, kind, rest = re.fullmatch(LINE, line).groups()
            rest = rest.replace(f"bowline_{crate}::", f"{crate}::")
            name = re.match(r"[\w:]+", rest)[0].rstrip(":")
            match kind:
                case "struct" | "enum":
                    self.types[name] = kind
                    if "non_exhaustive" in marks:
                        self.open.add(name)
                case "field":
                    owners.add(name.rsplit("::", 1)[0])
                case "impl":
                    traits, name = rest.rsplit(" for ", 1)
                    self.traits[name] = set(split(traits))
                case "fn":
                    self.functions[name] = signature(rest)
                case "names":
                    self.names.add(name)
                case "use":
                    source, name = rest.split(" as ")
                    self.others[name] = source
                case "variant":
                    pass
                case _:
                    self.others[name] = kind
        self.with_fields = {name for name in self.types if name in owners}


def split(list_):
    """Splits at commas that stand in no brackets."""
    return [word.strip() for word in re.split(r",\s*(?![^<(]*[>)])", list_) if word.strip()]


def signature(text):
    """Arguments and result, without generic parameters and bounds: those tell how bytes are moved."""
    text = text.split(" where ")[0]
    depth, rest = 0, text[len(re.match(r"[\w:]+", text)[0]):]
    while rest.startswith("<") or depth:
        depth += {"<": 1, ">": -1}.get(rest[0], 0)
        rest = rest[1:]
    return rest


def closed(lists, exceptions):
    for crate, items in lists.items():
        for name, kind in items.types.items():
            if (kind == "enum" or name in items.with_fields) and name not in items.open:
                if not exceptions.has("closed", name):
                    yield f"{kind} {name} can never grow: make it #[non_exhaustive], or say in the exceptions why not"


def traits(lists):
    for items in lists.values():
        for name in items.types:
            wanted = WANTED | (WANTED_OF_ERRORS if name.endswith("Error") else set())
            for missing in sorted(wanted - items.traits.get(name, set())):
                yield f"{name} is not {missing}"


def names(lists, exceptions):
    for items in lists.values():
        for name in sorted(items.names):
            if name.split("::")[1] not in NEUTRAL and not exceptions.has("names", name):
                yield f"{name.replace('::', ' shows types of ')}: a type of our own would let either change alone"


def adapters(lists, exceptions):
    """What stands in both adapters is the same up to waiting, and what stands in one has a reason."""
    sides = [{name.split("::", 1)[1]: what for name, what in facts(lists[crate])} for crate in ADAPTERS]
    for name in sorted(sides[0].keys() | sides[1].keys()):
        here = [name in side for side in sides]
        if all(here):
            if sides[0][name] != sides[1][name] and not exceptions.has("differs", f"::{name}"):
                yield f"{name} differs:\n  tokio:    {sides[0][name]}\n  blocking: {sides[1][name]}"
            continue
        crate, side = [(c, s) for c, s, there in zip(ADAPTERS, sides, here) if there][0]
        base = side.get(name.removesuffix("_timeout"))
        if crate == "blocking" and name.endswith("_timeout") and base and waits_longer(base, side[name]):
            continue
        if not exceptions.has("only", f"{crate}::{name}"):
            yield f"only {crate} has {name}"


def inline(items):
    """A client that works while its owner calls takes the same calls as one with a thread."""
    for name, shape in items.functions.items():
        if name.startswith("blocking::Client::"):
            other = items.functions.get(name.replace("Client", "InlineClient"), "nothing")
            if arguments(other) != arguments(shape):
                yield f"{name} takes {arguments(shape)}, and that of InlineClient {arguments(other)}"


def facts(items):
    """Name and what is to be the same, of everything that an adapter shows."""
    yield from items.functions.items()
    yield from items.others.items()
    for name, kind in items.types.items():
        yield name, f"{kind}, {', '.join(sorted(t for t in items.traits.get(name, ()) if t.split('<')[0] not in OWN_TRAITS))}"


def waits_longer(base, timeout):
    """`f_timeout` takes what `f` takes, and the time last."""
    return arguments(timeout) == [*arguments(base), "time: Duration"]


def arguments(shape):
    found = re.match(r"\((.*?)\)(?: ->|$)", shape)
    return [a for a in split(found[1]) if not a.startswith("self: ")] if found else None


def main():
    exceptions = Exceptions(LISTS / "exceptions")
    lists = {crate: List(crate) for crate in CRATES}
    complaints = [*closed(lists, exceptions), *traits(lists), *names(lists, exceptions), *adapters(lists, exceptions),
                  *inline(lists["blocking"])]
    complaints += [f"nothing needs the exception: {kind} {name}" for kind, name in exceptions.unused()]
    print("\n".join(complaints), end="\n" if complaints else "")
    return bool(complaints)


sys.exit(main())
