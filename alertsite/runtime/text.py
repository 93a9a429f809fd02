"""What programs say, cut to what fits a line."""

from __future__ import annotations


def last_line(text: str) -> str:
    """The last line that says something, or the empty string."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
