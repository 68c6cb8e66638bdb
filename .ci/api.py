"""Prints the public API of a crate, a line for each item, from the JSON that rustdoc makes of it."""

import json
import sys

FORMAT = 57
# A type's implementations of these are listed by their names alone.
TRAITS = {"Send", "Sync", "Unpin", "Debug", "Clone", "Copy", "Default", "PartialEq", "Eq", "PartialOrd", "Ord", "Hash",
          "Display", "Error", "Iterator", "Future", "Stream", "Sink", "Read", "Write", "AsyncRead", "AsyncWrite", "From",
          "TryFrom", "FromStr", "AsRef", "Deref", "Add", "AddAssign", "Sub", "Drop"}
# The crates whose types and traits the listing names.
OWNERS, NAMED = {}, set()


def args(args):
    if not args:
        return ""
    if "angle_bracketed" in args:
        inner = args["angle_bracketed"]
        words = [next(iter(a.values())) if "lifetime" in a else type_of(a["type"]) if "type" in a else
                 a["const"]["expr"] if "const" in a else "_" for a in inner["args"]]
        for bound in inner["constraints"]:
            binding = bound["binding"]
            words.append(f"{bound['name']} = {type_of(binding['equality']['type'])}" if "equality" in binding else
                         f"{bound['name']}: {bounds(binding['constraint'])}")
        return f"<{', '.join(words)}>" if words else ""
    if "parenthesized" in args:
        inner = args["parenthesized"]
        out = f" -> {type_of(inner['output'])}" if inner["output"] else ""
        return f"({', '.join(map(type_of, inner['inputs']))}){out}"
    return ""


def path(path):
    NAMED.add(OWNERS.get(path["id"]))
    return path["path"].rsplit("::", 1)[-1] + args(path["args"])


def bounds(list_):
    words = []
    for bound in list_:
        if "trait_bound" in bound:
            sign = "?" if bound["trait_bound"]["modifier"] == "maybe" else ""
            words.append(sign + path(bound["trait_bound"]["trait"]))
        elif "outlives" in bound:
            words.append(bound["outlives"])
    return " + ".join(words)


def type_of(type_):
    if type_ is None:
        return "()"
    kind, inner = next(iter(type_.items()))
    match kind:
        case "resolved_path":
            return path(inner)
        case "generic" | "primitive":
            return inner
        case "tuple":
            return f"({', '.join(map(type_of, inner))})"
        case "slice":
            return f"[{type_of(inner)}]"
        case "array":
            return f"[{type_of(inner['type'])}; {inner['len']}]"
        case "borrowed_ref":
            words = [inner["lifetime"] or "", "mut" if inner["is_mutable"] else "", type_of(inner["type"])]
            return "&" + " ".join(filter(None, words))
        case "raw_pointer":
            return f"*{'mut' if inner['is_mutable'] else 'const'} {type_of(inner['type'])}"
        case "impl_trait":
            return f"impl {bounds(inner)}"
        case "dyn_trait":
            words = [path(t["trait"]) for t in inner["traits"]] + ([inner["lifetime"]] if inner["lifetime"] else [])
            return f"dyn {' + '.join(words)}"
        case "qualified_path":
            trait = f" as {path(inner['trait'])}" if inner["trait"] and inner["trait"]["path"] else ""
            return f"<{type_of(inner['self_type'])}{trait}>::{inner['name']}"
        case "function_pointer":
            out = f" -> {type_of(inner['sig']['output'])}" if inner["sig"]["output"] else ""
            return f"fn({', '.join(type_of(t) for _, t in inner['sig']['inputs'])}){out}"
    raise SystemExit(f"an unknown kind of type: {kind}")


def generics(generics):
    params = [p["name"] + (f": {bounds(b)}" if (b := p["kind"].get("type", {}).get("bounds")) else "")
              for p in generics["params"] if not p["kind"].get("type", {}).get("is_synthetic")
              and not p["name"].startswith("'")]
    return f"<{', '.join(params)}>" if params else ""


def where(generics):
    words = [f"{type_of(p['bound_predicate']['type'])}: {bounds(p['bound_predicate']['bounds'])}"
             for p in generics["where_predicates"] if "bound_predicate" in p]
    return f" where {', '.join(words)}" if words else ""


class Crate:
    def __init__(self, text):
        self.data = json.loads(text)
        if self.data["format_version"] != FORMAT:
            print(f"SKIPPED: rustdoc writes format {self.data['format_version']}, not {FORMAT}", file=sys.stderr)
            raise SystemExit(3)
        self.index, self.lines = self.data["index"], set()
        for id_, summary in self.data["paths"].items():
            owner = self.data["external_crates"].get(str(summary["crate_id"]))
            OWNERS[int(id_)] = owner["name"] if owner else None

    def list(self):
        root = self.index[str(self.data["root"])]
        self.module(root["name"], root)
        # Their versions are part of the API.
        self.lines |= {f"names {root['name']}::{name}" for name in NAMED
                       if name and not name.startswith("bowline_") and name not in ("std", "core", "alloc")}
        return sorted(self.lines)

    def say(self, item, text):
        marks = "".join(f"#[{a}] " for a in item["attrs"] if a in ("non_exhaustive", "must_use"))
        self.lines.add(marks + text)

    def module(self, name, item):
        for id_ in item["inner"]["module"]["items"]:
            self.item(name, self.index[str(id_)])

    def item(self, parent, item, name=None):
        if item["visibility"] != "public":
            return
        kind, inner = next(iter(item["inner"].items()))
        if kind == "use":
            target = self.index.get(str(inner["id"]))
            if inner["is_glob"] and target:
                return self.module(parent, target)
            if target and "module" not in target["inner"]:
                return self.item(parent, {**target, "visibility": "public"}, inner["name"])
            if target:
                return self.module(f"{parent}::{inner['name']}", target)
            return self.say(item, f"use {inner['source']} as {parent}::{inner['name']}")
        name = f"{parent}::{name or item['name']}"
        match kind:
            case "module":
                self.module(name, item)
            case "function":
                self.function(name, item)
            case "struct" | "enum" | "union":
                self.type(kind, name, item, inner)
            case "trait":
                self.say(item, f"trait {name}{generics(inner['generics'])}: {bounds(inner['bounds'])}")
                for id_ in inner["items"]:
                    self.member(name, self.index[str(id_)])
            case "constant":
                self.say(item, f"const {name}: {type_of(inner['type'])}")
            case "static":
                self.say(item, f"static {name}: {type_of(inner['type'])}")
            case "type_alias":
                self.say(item, f"type {name}{generics(inner['generics'])} = {type_of(inner['type'])}")
            case _:
                self.say(item, f"{kind} {name}")

    def type(self, kind, name, item, inner):
        self.say(item, f"{kind} {name}{generics(inner['generics'])}{where(inner['generics'])}")
        if kind == "enum":
            for id_ in inner["variants"]:
                self.variant(name, self.index[str(id_)])
        elif "plain" in inner["kind"]:
            self.fields(name, inner["kind"]["plain"]["fields"])
        elif "tuple" in inner["kind"]:
            self.fields(name, filter(None, inner["kind"]["tuple"]))
        traits = []
        for id_ in inner["impls"]:
            impl = self.index[str(id_)]["inner"]["impl"]
            if impl["blanket_impl"] or impl["is_negative"]:
                continue
            if not impl["trait"]:
                for member in impl["items"]:
                    self.member(name, self.index[str(member)])
            elif impl["trait"]["path"].rsplit("::", 1)[-1] in TRAITS:
                traits.append(path(impl["trait"]))
        self.lines.add(f"impl {', '.join(sorted(set(traits)))} for {name}")

    def fields(self, name, ids):
        for id_ in ids:
            field = self.index[str(id_)]
            if field["visibility"] in ("public", "default"):
                self.say(field, f"field {name}::{field['name']}: {type_of(field['inner']['struct_field'])}")

    def variant(self, name, item):
        kind, name = item["inner"]["variant"]["kind"], f"{name}::{item['name']}"
        if kind == "plain":
            return self.say(item, f"variant {name}")
        if "tuple" in kind:
            types = [type_of(self.index[str(id_)]["inner"]["struct_field"]) for id_ in kind["tuple"] if id_ is not None]
            return self.say(item, f"variant {name}({', '.join(types)})")
        self.say(item, f"variant {name}")
        self.fields(name, kind["struct"]["fields"])

    def member(self, name, item):
        kind, inner = next(iter(item["inner"].items()))
        if item["visibility"] not in ("public", "default"):
            return
        if kind == "function":
            self.function(f"{name}::{item['name']}", item)
        elif kind == "assoc_const":
            self.say(item, f"const {name}::{item['name']}: {type_of(inner['type'])}")
        elif kind == "assoc_type":
            self.say(item, f"type {name}::{item['name']}: {bounds(inner['bounds'])}")

    def function(self, name, item):
        inner = item["inner"]["function"]
        header = "".join(word + " " for word in ("const", "async", "unsafe") if inner["header"][f"is_{word}"])
        inputs = ", ".join(f"{n}: {type_of(t)}" for n, t in inner["sig"]["inputs"])
        out = f" -> {type_of(inner['sig']['output'])}" if inner["sig"]["output"] else ""
        self.say(item, f"{header}fn {name}{generics(inner['generics'])}({inputs}){out}{where(inner['generics'])}")


print("\n".join(Crate(sys.stdin.read()).list()))
