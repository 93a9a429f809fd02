"""Go's `fmt`: values to text by verbs, flags, width and precision.

What does not fit its verb is shown as Go shows it, `%!d(string=x)`, since rule authors know that sight.
Refuses only what outgrows the limit on texts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rules.notify.gotemplate import numbers
from rules.notify.gotemplate.errors import Fault
from rules.notify.gotemplate.limits import Output
from rules.notify.gotemplate.quoting import quoted
from rules.notify.gotemplate.values import Rendered, Struct, Value, type_name

NAMES, QUOTES = "N", "Q"
"""What `+` and `#` mean to the verb `v`: field names and quoted texts instead of signs and prefixes."""
_FOR_VALUES = str.maketrans("+#", NAMES + QUOTES)
MAX_WIDTH = 1000
MAX_DEPTH = 20
_DIRECTIVE = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<width>\*|\d+)?(?P<precise>\.(?P<precision>\*|\d+)?)?"
    r"(?:\[(?P<index>\d+)\])?(?P<verb>.?)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Spec:
    """A verb with its flags. A precision of None was not written."""

    verb: str = "v"
    flags: str = ""
    width: int = 0
    precision: int | None = None

    def padded(self, text: str, *, zeros: bool = False) -> str:
        """The text at its width; zeros go between sign and digits."""
        if "-" in self.flags:
            return text.ljust(self.width)
        if zeros and "0" in self.flags:
            return text.zfill(self.width)
        return text.rjust(self.width)


PLAIN = Spec()


def sprint(values: Sequence[Value], limit: int) -> str:
    """As `print`: values one after the other, a space between two that are not texts."""
    output = Output(limit)
    for position, value in enumerate(values):
        if position and not isinstance(value, str) and not isinstance(values[position - 1], str):
            output.write(" ")
        write_value(output, value, PLAIN)
    return output.text()


def sprintln(values: Sequence[Value], limit: int) -> str:
    """As `println`: values with spaces between, and a line feed."""
    output = Output(limit)
    for position, value in enumerate(values):
        output.write(" " if position else "")
        write_value(output, value, PLAIN)
    output.write("\n")
    return output.text()


def sprintf(form: str, values: Sequence[Value], limit: int) -> str:
    """As `printf`: the values in the places of the format's verbs."""
    writer = _Formatter(values, Output(limit))
    at = 0
    for match in _DIRECTIVE.finditer(form):
        writer.output.write(form[at : match.start()])
        writer.directive(match)
        at = match.end()
    writer.output.write(form[at:])
    writer.leftovers()
    return writer.output.text()


@dataclass(slots=True)
class _Formatter:
    values: Sequence[Value]
    output: Output
    next: int = 0
    reordered: bool = False

    def directive(self, match: re.Match[str]) -> None:
        """Write what one directive asks for."""
        verb = match["verb"]
        if verb == "%":
            self.output.write("%")
            return
        width = self._size(match["width"], "%!(BADWIDTH)")
        precision = self._size(match["precision"], "%!(BADPREC)")
        if match["precise"] and precision is None:
            precision = 0
        if not verb:
            self.output.write("%!(NOVERB)")
            return
        if match["index"]:
            self.next, self.reordered = int(match["index"]) - 1, True
        if not 0 <= self.next < len(self.values):
            self.output.write(f"%!{verb}({'BADINDEX' if self.reordered else 'MISSING'})")
            return
        flags = match["flags"] + ("-" if width is not None and width < 0 else "")
        if verb == "v":
            flags = flags.translate(_FOR_VALUES)
        value = self.values[self.next]
        self.next += 1
        write_value(self.output, value, Spec(verb, flags, abs(width or 0), precision))

    def _size(self, text: str | None, complaint: str) -> int | None:
        """A width or precision: digits, or `*` for the next value."""
        if text != "*":
            return _bounded(int(text)) if text else None
        value = self.values[self.next] if self.next < len(self.values) else None
        self.next += 1
        if type(value) is not int:
            self.output.write(complaint)
            return None
        return _bounded(value)

    def leftovers(self) -> None:
        """Say which values no verb used."""
        if self.reordered or self.next >= len(self.values):
            return
        self.output.write("%!(EXTRA ")
        for position, value in enumerate(self.values[self.next :]):
            self.output.write(", " if position else "")
            _write_typed(self.output, value)
        self.output.write(")")


def _bounded(size: int) -> int:
    if abs(size) > MAX_WIDTH:
        raise Fault(f"a width or precision is {size}, the limit is {MAX_WIDTH}")
    return size


def write_value(output: Output, value: Value, spec: Spec, depth: int = 0) -> None:
    """Write a value as a verb asks. Maps are written in the order of their keys."""
    if depth > MAX_DEPTH:
        raise Fault(f"a value is nested deeper than {MAX_DEPTH}, the limit")
    if spec.verb == "T":
        output.write(spec.padded(_type_of(value)))
    elif isinstance(value, Rendered) and spec.verb in "vsqxX":
        output.write(_text(value.rendered(), spec))
    elif isinstance(value, Struct):
        _write_struct(output, value, spec, depth)
    elif isinstance(value, dict):
        _write_map(output, value, spec, depth)
    elif isinstance(value, tuple):
        _write_list(output, value, spec, depth)
    else:
        _write_scalar(output, value, spec)


def _write_struct(output: Output, value: Struct, spec: Spec, depth: int) -> None:
    output.write("{")
    for position, (name, item) in enumerate(value.fields.items()):
        output.write(" " if position else "")
        output.write(f"{name}:" if NAMES in spec.flags else "")
        write_value(output, item, spec, depth + 1)
    output.write("}")


def _write_map(output: Output, value: dict[str, Value], spec: Spec, depth: int) -> None:
    output.write("map[")
    for position, name in enumerate(sorted(value)):
        output.write(" " if position else "")
        write_value(output, name, spec, depth + 1)
        output.write(":")
        write_value(output, value[name], spec, depth + 1)
    output.write("]")


def _write_list(output: Output, value: tuple[Value, ...], spec: Spec, depth: int) -> None:
    output.write("[")
    for position, item in enumerate(value):
        output.write(" " if position else "")
        write_value(output, item, spec, depth + 1)
    output.write("]")


def _write_scalar(output: Output, value: Value, spec: Spec) -> None:
    shown = _scalar(value, spec)
    if shown is not None:
        output.write(shown)
    elif value is None:
        output.write(spec.padded("<nil>") if spec.verb == "v" else f"%!{spec.verb}(<nil>)")
    else:
        output.write(f"%!{spec.verb}({_type_of(value)}=")
        write_value(output, value, replace(spec, verb="v"))
        output.write(")")


def _scalar(value: Value, spec: Spec) -> str | None:
    """The text of a scalar, or None if the verb does not fit it."""
    if isinstance(value, bool):
        return spec.padded("true" if value else "false") if spec.verb in "vt" else None
    if isinstance(value, int):
        shown = numbers.integer(value, spec.verb, spec.flags, spec.precision)
        return None if shown is None else spec.padded(shown, zeros=spec.precision is None)
    if isinstance(value, float):
        shown = numbers.floating(value, spec.verb, spec.flags, spec.precision)
        finite = shown is not None and shown[-1].isdigit()
        return None if shown is None else spec.padded(shown, zeros=finite)
    if isinstance(value, str):
        return _text(value, spec) if spec.verb in "vsqxX" else None
    return None


def _text(text: str, spec: Spec) -> str:
    cut = text if spec.precision is None else text[: spec.precision]
    if spec.verb == "q" or QUOTES in spec.flags:
        raw = spec.verb == "q" and "#" in spec.flags and "`" not in cut and cut.isprintable()
        return spec.padded(f"`{cut}`" if raw else quoted(cut))
    if spec.verb in "xX":
        digits = cut.encode().hex(" ") if " " in spec.flags else cut.encode().hex()
        digits = f"0x{digits}" if digits and "#" in spec.flags else digits
        return spec.padded(digits.upper() if spec.verb == "X" else digits)
    return spec.padded(cut)


def _write_typed(output: Output, value: Value) -> None:
    if value is None:
        output.write("<nil>")
        return
    output.write(f"{_type_of(value)}=")
    write_value(output, value, PLAIN)


def _type_of(value: Value) -> str:
    if value is None:
        return "<nil>"
    return value.type_name if isinstance(value, Struct) else type_name(type(value))
