"""Classes as a file of Python: constructors, forward passes, tables of rows, and what they need."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mbprof.exchange.source.classes import Class, Classes, Key, Ref, Scope
from mbprof.exchange.source.code import Arg, In, Own, identifier, made, slots, wrapped
from mbprof.exchange.source.loops import Run, constructed, runs
from mbprof.language.record import NamedTuple


class Dialect(NamedTuple):
    """What frameworks call things: bases, methods, and the helpers that their files may need.

    A helper is source text by its name; it is part of a file that mentions it.
    """

    base: str
    method: str
    sequential: str
    """How modules in a row are made, with braces for them."""
    identity: str
    imports: Mapping[str, str]
    helpers: Mapping[str, str]
    main: str
    reserved: frozenset[str]
    bare: str = ""
    """What stands behind a module that is called with nothing."""


@dataclass(slots=True)
class _Unit:
    """What one attribute has: a step, steps of one layer in a row, or a run of calls."""

    keys: list[Key]
    name: str = ""
    run: Run | None = None
    lines: list[str] = field(default_factory=list)


class Printer:
    """Writes one class."""

    def __init__(self, cls: Class, dialect: Dialect, root: bool, inputs: list[str]) -> None:
        self.cls, self.dialect, self.root, self.inputs = cls, dialect, root, inputs
        self.uses: dict[Ref, int] = {}
        refs = [ref for key in cls.order for ref in cls.inputs[key]]
        for ref in (*refs, *cls.results):
            self.uses[ref] = self.uses.get(ref, 0) + 1
        steps = [cls.step(key) for key in cls.order]
        self.reused = {step.again for step in steps} | {step.key for step in steps if step.again}
        self.wanted = {
            ref: name
            for key in cls.order
            if key[1] == "sdpa"
            for ref, name in zip(cls.inputs[key], ("q", "k", "v", "bias"), strict=False)
            if ref[0] is not None
        }
        self.stored: dict[str, str] = {}
        self.taken = set(dialect.reserved)
        self.units = list(self.joined())

    def joined(self) -> Iterator[_Unit]:
        """Yield the attributes of the class, in order."""
        units: list[_Unit] = []
        for key in self.cls.order:
            if units and self.continues(units[-1].keys[-1], key):
                units[-1].keys.append(key)
            else:
                units.append(_Unit([key]))
        chains = runs([unit.keys for unit in units], self.cls, self.uses)
        place = 0
        while place < len(units):
            run = chains.get(place)
            unit = units[place]
            if run is not None and (self.root or run.even(self.cls)):
                unit = _Unit(list(run.keys), run=run)
                place += len(run.keys) - 1
            place += 1
            first = self.cls.step(unit.keys[0])
            name = first.layer if len(unit.keys) > 1 else self.cls.names[unit.keys[0]]
            if unit.run is not None:
                name = unit.run.name([self.cls.names[key] for key in unit.keys], first.key[1])
            unit.name = identifier(name, self.taken)
            self.taken.add(unit.name)
            yield unit

    def continues(self, before: Key, key: Key) -> bool:
        """Whether a step stands in one row with the one before it."""
        a, b = self.cls.step(before), self.cls.step(key)
        return (
            not (a.written.text or b.written.text)
            and self.cls.inputs[key] == ((before, 0),)
            and len(a.inputs) == 1
            and self.uses[before, 0] == 1
            and a.layer == b.layer
            and not isinstance(a.member, Scope)
            and not isinstance(b.member, Scope)
            and not {before, key} & self.reused
        )

    def constructor(self) -> list[str]:
        """Return the lines of the constructor."""
        lines = []
        for unit in self.units:
            if unit.run is not None:
                for number, key in enumerate(unit.keys):
                    self.cls.paths[key] = f"{unit.name}.{number}"
                lines += constructed(unit.run, unit.name, self.cls, self.dialect.sequential)
                continue
            lines += self.attribute(unit)
        stored = [f"self.{name} = {text}" for name, text in self.stored.items()]
        return [*(row for line in stored for row in wrapped(line, " " * 8)), *lines]

    def attribute(self, unit: _Unit) -> list[str]:
        first = self.cls.step(unit.keys[0])
        if first.again is not None:
            self.cls.paths[first.key] = self.cls.paths[first.again]
            return []
        flags = [self.cls.flags.get(key) for key in unit.keys]
        whole = flags[0] if len(set(flags)) == 1 else None
        modules: list[str] = []
        for key, flag in zip(unit.keys, flags, strict=True):
            step, texts = self.cls.step(key), iter(self.cls.texts[key])
            texts_made = [made(module, texts) for module in step.written.modules]
            if flag and not whole:
                texts_made = [self.conditional(text, flag) for text in texts_made]
            modules += texts_made
            at = step.written.place
            index = f".{len(modules) + at if at < 0 else len(modules) - len(texts_made) + at}"
            suffix = f".{step.written.weighted}" if step.written.weighted else ""
            self.cls.paths[key] = unit.name + index + suffix
        if not modules:
            return []
        if len(modules) == 1:
            for key in unit.keys:
                self.cls.paths[key] = self.cls.paths[key].replace(f"{unit.name}.0", unit.name, 1)
            text = modules[0]
        else:
            start = f"self.{unit.name} = "
            if whole is None:
                return self.row(modules, " " * 8, start)
            absent = [f"{' ' * 12}if {whole}", f"{' ' * 12}else {self.dialect.identity}"]
            rows = self.row(modules, " " * 12, "")
            return [f"{' ' * 8}{start}(", *rows, *absent, " " * 8 + ")"]
        if whole:
            plain = len(self.cls.inputs[unit.keys[0]]) == 1 and not first.written.text
            text = self.conditional(text, whole, plain)
        line = f"self.{unit.name} = {text}"
        if whole and len(line) + 8 > 100:
            if len(text) + 12 <= 100:
                return [f"{' ' * 8}self.{unit.name} = (", " " * 12 + text, " " * 8 + ")"]
            present, _, end = text.partition(" if ")
            condition, _, absent_text = end.rpartition(" else ")
            return [
                f"{' ' * 8}self.{unit.name} = (",
                *wrapped(present, " " * 12),
                f"{' ' * 12}if {condition}",
                f"{' ' * 12}else {absent_text}",
                " " * 8 + ")",
            ]
        return wrapped(line, " " * 8)

    def row(self, modules: list[str], indent: str, start: str) -> list[str]:
        """Return the lines that make modules in a row."""
        opening, close = self.dialect.sequential.split("{}")
        brackets = [(opening[:-1], close[1:]), ("[", "]")]
        if not opening.endswith("["):
            brackets = [(opening, close)]
        deeper = indent + "    " * len(brackets)
        rows = [row for module in modules for row in wrapped(module, deeper, ",")]
        first = f"{indent}{start}{brackets[0][0]}"
        inner = [f"{indent}    [", *rows, f"{indent}    ]"] if len(brackets) > 1 else rows
        return [first, *inner, f"{indent}{brackets[0][1]}"]

    def conditional(self, text: str, flag: str, plain: bool = True) -> str:
        return f"{text} if {flag} else {self.dialect.identity if plain else 'None'}"

    def forward(self) -> list[str]:
        """Return the lines of the forward pass."""
        names = dict(zip([(None, n) for n in range(len(self.inputs))], self.inputs, strict=True))
        env: dict[Ref, str] = dict(names.items())
        last: dict[Ref, int] = {}
        for number, unit in enumerate(self.units):
            for ref in self.needs(unit):
                last[ref] = number
        for ref in self.cls.results:
            last[ref] = len(self.units)
        lines: list[str] = []
        for number, unit in enumerate(self.units):
            lines.append(self.statement(number, unit, env, last))
        ends = [env[ref] for ref in self.cls.results]
        lines = [line for line in lines if line]
        if len(ends) == 1 and lines and lines[-1].startswith(f"{ends[0]} = "):
            lines[-1] = f"return {lines[-1].partition(' = ')[2]}"
        else:
            lines.append(f"return {', '.join(ends)}")
        return [row for line in lines if line for row in wrapped(line, " " * 8)]

    def needs(self, unit: _Unit) -> tuple[Ref, ...]:
        key = unit.keys[0]
        skipped = (self.cls.bypass[key],) if key in self.cls.bypass else ()
        return (*self.cls.inputs[key], *skipped)

    def statement(
        self, number: int, unit: _Unit, env: dict[Ref, str], last: Mapping[Ref, int]
    ) -> str:
        first, key = self.cls.step(unit.keys[0]), unit.keys[0]
        taken = [env[ref] for ref in self.cls.inputs[key]]
        text = self.call(unit, taken)
        flag = self.cls.flags.get(key)
        plain = len(taken) == 1 and not first.written.text and first.again is None
        if flag and not plain:
            other = env[self.cls.bypass[key]]
            role = "shortcut" if key[1] == "add" else f"with_{unit.name}"
            text = f"{text} if {self.kept(flag, role)} else {other}"
        outputs = [(unit.keys[-1], port) for port in range(first.outs)]
        live = {env[ref] for ref, end in last.items() if ref in env and end > number}
        if not any(ref in last for ref in outputs):
            return text
        if self.stands(number):
            env[outputs[0]] = text
            return ""
        targets: list[str] = []
        dying = [name for name in taken if name not in live and name.isidentifier()]
        for ref in outputs:
            if ref not in last:
                targets.append("_")
                continue
            busy = {*live, *targets, "self"}
            following = (n for n in range(number + 1, len(self.units)) if not self.stands(n))
            passing = last[ref] == next(following, len(self.units)) and len(outputs) == 1
            letters = ["x", "y", "z"] if passing or not self.root else []
            handed_on = [name for name in ("x", "y") if name in dying] if letters else []
            free = [name for name in (*handed_on, *letters) if name not in busy]
            wanted = self.wanted.get(ref)
            if wanted is not None and wanted not in busy:
                free = [wanted]
            targets.append(free[0] if free else identifier(unit.name, {*busy, *self.inputs}))
        env.update(zip(outputs, targets, strict=True))
        return f"{', '.join(targets)} = {text}"

    def stands(self, number: int) -> bool:
        """Whether a unit is a tensor that needs no statement of its own."""
        key = self.units[number].keys[0]
        return self.cls.step(key).written.text == (Own(),) and key not in self.cls.flags

    def call(self, unit: _Unit, taken: list[str]) -> str:
        step = self.cls.step(unit.keys[0])
        attribute = f"self.{self.attribute_of(unit)}"
        if not step.written.text:
            return f"{attribute}{'' if taken else self.dialect.bare}({', '.join(taken)})"
        texts = iter(self.cls.texts[unit.keys[0]][len(list(slots(step.written.modules))) :])
        parts = []
        for part in step.written.text:
            if isinstance(part, In):
                parts.append(taken[part.number])
            elif isinstance(part, Own):
                parts.append(attribute)
            elif isinstance(part, Arg):
                parts.append(self.kept(next(texts), part.role))
            else:
                parts.append(part)
        return re.sub(r"\[[^][]*self[^][]*\]", _spaced, "".join(parts))

    def attribute_of(self, unit: _Unit) -> str:
        step = self.cls.step(unit.keys[0])
        if step.again is None:
            return unit.name
        return next(other.name for other in self.units if step.again in other.keys)

    def kept(self, text: str, role: str) -> str:
        """Return what the forward pass calls a value; one that is no literal is stored for it."""
        if not re.search(r"[A-Za-z_]", re.sub(r'"[^"]*"|\b(True|False|None)\b|\de-?\d', "", text)):
            return text
        for name, known in self.stored.items():
            if known == text:
                return f"self.{name}"
        name = identifier(text if text.isidentifier() else role, self.taken)
        self.taken.add(name)
        self.stored[name] = text
        return f"self.{name}"

    def text(self, doc: str) -> str:
        """Return the class as it stands in a file."""
        forward = self.forward()
        constructor = self.constructor()
        forward_head = f"    def {self.dialect.method}({', '.join(['self', *self.inputs])}):"
        head = f"def __init__({self.cls.arguments.signature}):"
        head_lines = wrapped(head[:-1], "    ", ":")
        lines = [
            f"class {self.cls.name}({self.dialect.base}):",
            *(wrapped_doc(doc, "    ") if doc else []),
            *([""] if doc else []),
            *head_lines,
            "        super().__init__()",
            *constructor,
            "",
            forward_head,
            *forward,
        ]
        return "\n".join(lines)


def _spaced(match: re.Match[str]) -> str:
    """Put spaces around the colons of a slice between names, as formatters do."""
    parts = [
        re.sub(r" ?: ?", " : ", part).strip() if "self" in part and ":" in part else part
        for part in match[0][1:-1].split(", ")
    ]
    return f"[{', '.join(parts)}]"


def wrapped_doc(doc: str, indent: str) -> list[str]:
    """Return a docstring; a text that is too long goes on in further lines."""
    plain = " ".join(doc.split()).replace("\\", "\\\\").replace('"', "'")
    plain = plain[0].upper() + plain[1:] + ("" if plain.endswith((".", "?", "!")) else ".")
    if len(plain) + 7 + len(indent) <= 100:
        return [f'{indent}"""{plain}"""']
    words, rows, row = plain.split(" "), [], f'{indent}"""'
    for word in words:
        if len(row) + 1 + len(word) > 96:
            rows.append(row.rstrip())
            row = indent
        row += (
            "" if row.endswith(('"""', " " * len(indent))) and row.strip() in ("", '"""') else " "
        ) + word
    return [*rows, row, f'{indent}"""']


def paths(grouped: Classes) -> dict[int, str]:
    """Return the way from the network to the module that has the stored values of a node."""
    ways: dict[int, str] = {}

    def walk(scope: Scope, prefix: str) -> None:
        if scope.cls is None:
            return
        for key, step in scope.steps.items():
            way = f"{prefix}{scope.cls.paths.get(key, '')}"
            if isinstance(step.member, Scope):
                walk(step.member, f"{way}.")
            else:
                ways[step.member] = way

    walk(grouped.root, "")
    return ways


def file(
    grouped: Classes, dialect: Dialect, head: list[str], docs: Mapping[str, str], doc: str
) -> str:
    """Return the text of a file that has the classes of a network."""
    images = [identifier(image.name) for image in grouped.graph.images]
    images = ["x"] if len(images) == 1 else images
    texts = []
    for cls in grouped.classes:
        root = not cls.block
        count = len(cls.instances[0].inputs)
        letters = ["x", "y", "z", *(f"x{n}" for n in range(4, count + 1))][:count]
        printer = Printer(cls, dialect, root, images if root else letters)
        texts.append(printer.text(doc if root else docs.get(cls.block, "")))
    ties = tied(grouped)
    if ties:
        before, method, after = texts[-1].partition(f"\n\n    def {dialect.method}(")
        texts[-1] = "\n".join([before, *ties]) + method + after
    needed = _needed("\n".join(texts), dialect.helpers)
    body = "\n\n\n".join([*needed, *texts])
    imports = [line for name, line in dialect.imports.items() if re.search(name, body)]
    last = grouped.classes[-1]
    main = dialect.main.replace("{net}", last.name)
    return "\n".join([*head, "", *imports, "", "", body, "", "", main, ""])


def _needed(text: str, helpers: Mapping[str, str]) -> list[str]:
    """Return the helpers that a text mentions, and those that they mention."""
    needed: set[str] = set()
    texts = [text]
    while texts:
        here = texts.pop()
        for name, source in helpers.items():
            if name not in needed and re.search(rf"\b{name}\b", here):
                needed.add(name)
                texts.append(source)
    return [source.strip() for name, source in helpers.items() if name in needed]


def tied(grouped: Classes) -> list[str]:
    """Return lines that give modules that share weights across classes the same one."""
    ways, owners, lines = paths(grouped), dict[int, str](), []
    for number, node in enumerate(grouped.graph.nodes):
        if node.weights is None or number not in ways:
            continue
        first = owners.setdefault(node.weights, ways[number])
        if first != ways[number]:
            mine, theirs = (re.sub(r"\.(\d+)", r"[\1]", way) for way in (ways[number], first))
            line = f"        self.{mine} = self.{theirs}"
            if line not in lines:
                lines.append(line)
    return lines


__all__ = ["Dialect", "file", "paths"]
