"""A program as machine code, one loop over the rows, where LLVM is there to compile it.

A row is computed once, in 64 bits that wrap around as NumPy's do; what may not fit is noted. The
text is LLVM's own language, written by the operators of what stands for a column.
"""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from mbprof.symbolic.columns import wide
from mbprof.symbolic.program import DONE, FITS, LARGE, OTHER, Program, Run, sized
from mbprof.symbolic.symbols import MOST, Atom, Guard

WHOLE, DOUBLE, FLAG = "i64", "double", "i1"
SIGNS = {"+": "add", "-": "sub", "*": "mul", "/": "div"}
NARROW = {"i8": np.int8, "i16": np.int16, "i32": np.int32, WHOLE: np.int64, DOUBLE: np.float64}
"""How numbers lie in memory; the narrower they are, the more of them a cache holds."""
COMPARED = {"==": ("eq", "oeq"), "!=": ("ne", "une"), "<": ("slt", "olt"), "<=": ("sle", "ole"),
            ">": ("sgt", "ogt"), ">=": ("sge", "oge")}  # fmt: skip
"""Comparisons of whole numbers and of doubles."""
CALLS = ("fabs", "floor", "ceil", "rint")


@dataclass
class Text:
    """The lines of a loop's body, each of which makes one value."""

    lines: list[str] = field(default_factory=list)

    def value(self, kind: str, text: str) -> Value:
        """Write a line and return what it makes."""
        name = f"%v{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        return Value(self, kind, name)

    def constant(self, number: Any) -> Value:
        """Return a number as it is written."""
        if isinstance(number, Value):
            return number
        if isinstance(number, float):
            return Value(self, DOUBLE, f"0x{struct.pack('>d', number).hex().upper()}")
        return Value(self, WHOLE, str(int(number)))


class Value:
    """What stands for the number of a row; its operators write lines."""

    def __init__(self, text: Text, kind: str, name: str) -> None:
        self.text, self.kind, self.name = text, kind, name

    def __add__(self, other: Any) -> Value:
        return self.signed("+", other)

    __radd__ = __add__

    def __mul__(self, other: Any) -> Value:
        return self.signed("*", other)

    def signed(self, sign: str, other: Any) -> Value:
        """Add, subtract, multiply or divide; as doubles if one of the two is one."""
        one, two = alike(self, self.text.constant(other))
        name = SIGNS[sign] if one.kind == WHOLE else f"f{SIGNS[sign]}"
        return self.text.value(one.kind, f"{name} {one.kind} {one.name}, {two.name}")

    def compared(self, sign: str, other: Any) -> Value:
        """Ask how two numbers compare, as doubles if one of the two is one."""
        one, two = alike(self, self.text.constant(other))
        how = COMPARED[sign][one.kind == DOUBLE]
        op = "fcmp" if one.kind == DOUBLE else "icmp"
        return self.text.value(FLAG, f"{op} {how} {one.kind} {one.name}, {two.name}")

    def bits(self, op: str, other: Any) -> Value:
        """Apply what is done with bits: ``and``, ``or``, ``xor``, ``ashr``, ``sdiv``."""
        two = self.text.constant(other)
        return self.text.value(self.kind, f"{op} {self.kind} {self.name}, {two.name}")

    def called(self, name: str) -> Value:
        """Apply a function of doubles."""
        return self.text.value(DOUBLE, f"call double @llvm.{name}.f64(double {self.double.name})")

    def chosen(self, yes: Any, no: Any) -> Value:
        """Return one value where this flag is 1, else the other one."""
        one, two = alike(self.text.constant(yes), self.text.constant(no))
        parts = f"{one.kind} {one.name}, {two.kind} {two.name}"
        return self.text.value(one.kind, f"select i1 {self.name}, {parts}")

    @property
    def double(self) -> Value:
        if self.kind == DOUBLE:
            return self
        return self.text.value(DOUBLE, f"sitofp i64 {self.name} to double")

    @property
    def whole(self) -> Value:
        """A double without its decimals; what fits in no whole number is some number."""
        cut = self.text.value(WHOLE, f"fptosi double {self.double.name} to i64")
        return self.text.value(WHOLE, f"freeze i64 {cut.name}")

    @property
    def counted(self) -> Value:
        """A flag as 1 or 0."""
        return self.text.value(WHOLE, f"zext i1 {self.name} to i64")


def alike(one: Value, two: Value) -> tuple[Value, Value]:
    """Return two values, both as doubles if one of them is a double."""
    return (one, two) if one.kind == two.kind else (one.double, two.double)


def _comparison(sign: str) -> Callable[[Value, Value], Value]:
    return lambda x, y: x.compared(sign, y)


def _floor_divide(x: Value, y: Value, divisor: Any) -> Value:
    """Divide whole numbers and round down; by 0 that is 0, as NumPy has it."""
    if isinstance(divisor, int) and divisor > 0 and divisor & (divisor - 1) == 0:
        return x.bits("ashr", divisor.bit_length() - 1)
    none, minus = y.compared("==", 0), y.compared("==", -1)
    by = none.bits("or", minus).chosen(1, y)
    cut = x.bits("sdiv", by)
    rest = x.signed("-", cut * by)
    apart = rest.compared("!=", 0).bits("and", rest.bits("xor", by).compared("<", 0))
    down = cut.signed("-", apart.counted)
    return none.chosen(0, minus.chosen(x.text.constant(0).signed("-", x), down))


def _extreme(sign: str) -> Callable[[Value, Value], Value]:
    def extreme(one: Value, two: Value) -> Value:
        one, two = alike(one, two)
        first = one.compared(sign, two)
        if one.kind == DOUBLE:
            first = first.bits("or", one.compared("!=", one))
        return first.chosen(one, two)

    return extreme


def _divisible(v: Value, divisor: int, floor: Value) -> Value:
    near = v.double.signed("+", divisor / 2).whole
    if divisor & (divisor - 1) == 0:
        near = near.bits("and", -divisor)
    else:
        near = _floor_divide(near, v.text.constant(divisor), divisor) * divisor
    near = LINES["max"](near, floor)
    below = near.compared("<", v.double.signed("*", 0.9))
    return near + below.counted * divisor


LINES: dict[str, Callable[..., Value]] = {
    "min": _extreme("<="),
    "max": _extreme(">="),
    "int": lambda x: x.whole,
    "ceil": lambda x: x.called("ceil").whole,
    "floor": lambda x: x.called("floor").whole,
    "round": lambda x: x.called("rint").whole,
    "+": lambda x, y: x.signed("+", y),
    "-": lambda x, y: x.signed("-", y),
    "*": lambda x, y: x.signed("*", y),
    "/": lambda x, y: x.double.signed("/", y.double),
    "chosen": lambda flag, yes, no: flag.compared("!=", 0).chosen(yes, no),
    "sum": lambda x: x,
    "real": lambda x: x.double,
}
"""How operations are written; the columns of others are computed before."""
ANSWERS: dict[str, Callable[..., Value]] = {
    "whole": lambda x: (
        x.called("floor")
        .compared("==", x)
        .bits("and", x.called("fabs").compared("<", float("inf")))
    ),
    "inside": lambda x: x.called("fabs").compared("<=", float(MOST)),
    **{sign: _comparison(sign) for sign in COMPARED},
}
"""How guards are written."""


class Unwritten(Exception):
    """A guard that is not written here, or a number of more than 64 bits."""


class Writing(Run):
    """An evaluation that writes down what it computes."""

    def __init__(self, program: Program, text: Text) -> None:
        super().__init__(program.plans, {})
        self.text = text
        self.taken: list[Atom] = []
        """The atoms whose columns are taken as they are."""

    def computed(self, atom: Atom) -> Value:
        if atom.op == "flag":
            op, *args = atom.args
            return self.answer(op, args).counted
        if atom.op == "//":
            x, y = atom.args
            return _floor_divide(self.operand(x), self.operand(y), y)
        if atom.op == "divisible":
            v, divisor, floor = atom.args
            return _divisible(self.operand(v), divisor, self.operand(floor))
        if atom.op in LINES:
            return LINES[atom.op](*map(self.operand, atom.args))
        kind, place = lies(atom), len(self.taken)
        self.taken.append(atom)
        at = self.text.value("ptr", f"getelementptr {kind}, ptr %c{place}, i64 %i")
        own = self.text.value(kind, f"load {kind}, ptr {at.name}")
        if kind in (WHOLE, DOUBLE):
            return own
        return self.text.value(WHOLE, f"sext {kind} {own.name} to {WHOLE}")

    def operand(self, argument: Any) -> Value:
        return self.text.constant(super().operand(argument))

    def answer(self, op: str, args: Sequence[Any]) -> Value:
        if op not in ANSWERS:
            raise Unwritten(op)
        return ANSWERS[op](*map(self.operand, args))

    def answers(self, guard: Guard) -> Value:
        right = self.answer(guard.op, guard.args)
        return right if guard.answer else right.bits("xor", 1)


def lies(atom: Atom) -> str:
    """Return how the column of an atom lies in memory: that of a knob as narrow as it can be."""
    if not atom.whole:
        return DOUBLE
    if atom.op != "input":
        return WHOLE
    ends = np.array([atom.low, atom.high])
    return next(kind for kind, of in NARROW.items() if np.array_equal(ends.astype(of), ends))


class Sizes(Run):
    """What no part of a sum exceeds, as doubles."""

    def __init__(self, exact: Writing) -> None:
        super().__init__(exact.plans, {})
        self.text, self.exact = exact.text, exact

    def atom(self, number: int) -> Value:
        if number not in self.values:
            self.values[number] = self.exact.atom(number).called("fabs")
        value: Value = self.values[number]
        return value

    def sum(self, terms: Any) -> Any:
        return super().sum(sized(terms))

    def fits(self, sizes: Sequence[Any]) -> list[Value]:
        limit = float(FITS / 2)
        return [self.text.constant(size).double.compared("<", limit) for size in sizes]


class Kernel(NamedTuple):
    """A compiled program: the atoms that it takes, as which numbers, and the function.

    What the function lives in is kept.
    """

    taken: Mapping[Atom, Any]
    run: Callable[..., None]
    engine: Any

    def columns(self, program: Program, columns: Mapping[str, Any], count: int) -> list[Any]:
        """Return the columns that it takes, each whole in memory."""
        knobs = all(atom.op == "input" for atom in self.taken)
        before = Run(program.plans, columns if knobs else wide(columns))
        taken = []
        with np.errstate(all="ignore"):
            for atom, kind in self.taken.items():
                column = np.ascontiguousarray(before.computed(atom), dtype=kind)
                taken.append(column if len(column) == count else np.repeat(column, count))
        return taken

    def __call__(
        self, program: Program, columns: Mapping[str, Any], count: int
    ) -> tuple[Any, list[Any]]:
        """Do what `Program.run` does."""
        taken = self.columns(program, columns, count)
        state = np.empty(count, dtype=np.uint8)
        outputs = [np.empty(count, dtype=np.int64) for _ in program.outputs]
        self.run(count, *(column.ctypes.data for column in (*taken, *outputs, state)))
        if not state.any():
            return None, outputs
        done = np.flatnonzero(state == DONE)
        return state, [output[done] for output in outputs]


def text_of(program: Program) -> tuple[str, Sequence[Atom]]:
    """Return a program in LLVM's language, and the atoms that it takes.

    Raises: Unwritten: it asks what cannot be written.
    """
    if program.beyond:
        raise Unwritten
    text = Text()
    run = Writing(program, text)
    sizes = Sizes(run)
    outputs = [text.constant(run.sum(terms)) for terms in program.outputs]
    guards = [run.answers(guard) for guard in program.guards]
    inner = sizes.fits([*map(sizes.sum, program.inner), *map(sizes.atom, program.rounded)])
    outer = sizes.fits([*map(sizes.sum, program.outer)])

    def all_of(flags: Sequence[Value]) -> Value:
        return reduce(lambda one, two: one.bits("and", two), flags, Value(text, FLAG, "true"))

    fits = all_of(outer).chosen(0, LARGE)
    matching = all_of(guards).chosen(fits, OTHER)
    state = all_of(inner).chosen(matching, LARGE)
    short = text.value("i8", f"trunc i64 {state.name} to i8")
    for number, value in enumerate([*outputs, short]):
        at = text.value("ptr", f"getelementptr {value.kind}, ptr %r{number}, i64 %i")
        text.lines.append(f"store {value.kind} {value.name}, ptr {at.name}")
    taken = [f"ptr noalias readonly %c{number}" for number in range(len(run.taken))]
    given = [f"ptr noalias writeonly %r{number}" for number in range(len(outputs) + 1)]
    body = "\n".join(text.lines)
    return (
        f"""
{"".join(f"declare double @llvm.{name}.f64(double){chr(10)}" for name in CALLS)}
define void @rows(i64 %count, {", ".join(taken + given)}) {{
start:
%some = icmp sgt i64 %count, 0
br i1 %some, label %row, label %end
row:
%i = phi i64 [0, %start], [%next, %row]
{body}
%next = add nuw nsw i64 %i, 1
%ended = icmp sge i64 %next, %count
br i1 %ended, label %end, label %row, !llvm.loop !0
end:
ret void
}}
!0 = distinct !{{!0, !1}}
!1 = !{{!"llvm.loop.vectorize.enable", i1 true}}
""",
        run.taken,
    )


def lines(program: Program) -> float:
    """Return how many lines a program has, without end where it cannot be written."""
    try:
        return text_of(program)[0].count("\n")
    except Unwritten:
        return math.inf


def compiled(program: Program) -> Kernel | None:
    """Return a program as machine code, None where that cannot be."""
    try:
        import llvmlite.binding as llvm
    except ImportError:
        return None
    try:
        text, taken = text_of(program)
    except Unwritten:
        return None
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=3, jit=True
    )
    module = llvm.parse_assembly(text)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    pointers = [ctypes.c_void_p] * (len(taken) + len(program.outputs) + 1)
    signature = ctypes.CFUNCTYPE(None, ctypes.c_int64, *pointers)
    kinds = {atom: NARROW[lies(atom)] for atom in taken}
    return Kernel(kinds, signature(engine.get_function_address("rows")), engine)
