"""YAML whose nesting is bounded before anything recurses over it.

libyaml's composer recurses in C: a text of a million opening brackets ends the process. Events do not nest,
so they are counted first.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

MAX_NESTING: Final = 100


def refuse_deep(text: str) -> None:
    """Refuse a document that nests deeper than `MAX_NESTING`.

    Raises
    ------
    yaml.MarkedYAMLError
        With the position, as for any other fault of a document.
    """
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_NESTING:
            mark: Any = event.start_mark
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {MAX_NESTING} levels", problem_mark=mark)
