"""Templates in labels and annotations."""

from __future__ import annotations

import re
from collections.abc import Mapping

_FIELD = re.compile(r"{{\s*\$(?:labels\.(\w+)|(value))\s*[^}]*}}")


class TemplateExpander:
    """Fills templates."""

    def expand(self, text: str, labels: Mapping[str, str], value: float) -> str:
        """The text with its fields replaced."""
        return _FIELD.sub(lambda match: f"{value:g}" if match[2] else labels.get(match[1], ""), text)


def check_template(text: str) -> None:
    """Refuse a malformed template."""
