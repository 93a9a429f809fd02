"""What one expansion may cost, and the counters that refuse more."""

from __future__ import annotations

from dataclasses import dataclass, field

from rules.notify.gotemplate.errors import Fault


@dataclass(frozen=True, slots=True)
class TemplateLimits:
    """Bounds of one expansion. Reaching one fails it."""

    steps: int = 50_000
    """Nodes evaluated and elements ranged over, plus what functions cost by the length of their texts."""
    output: int = 65_536
    """Characters of the result, and of any text on the way to it."""
    depth: int = 100
    """Branches, parentheses and called templates inside each other, so that recursion ends."""


@dataclass(slots=True)
class Steps:
    """What is left of the steps."""

    left: int

    def charge(self, count: int) -> None:
        """Spend steps."""
        self.left -= count
        if self.left < 0:
            raise Fault("the template takes more steps than an expansion may")


@dataclass(slots=True)
class Output:
    """Text that grows up to a limit."""

    limit: int
    _parts: list[str] = field(default_factory=list)
    _size: int = 0

    def write(self, text: str) -> None:
        """Add to the end."""
        self._size += len(text)
        if self._size > self.limit:
            raise Fault(f"the text grows beyond {self.limit} characters, the limit")
        self._parts.append(text)

    def text(self) -> str:
        """All of it."""
        return "".join(self._parts)
