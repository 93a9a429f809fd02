"""`uncordon_node` by Kubernetes."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.kubernetes.scheduling import Scheduling
from cloud.adapters.vocabulary import VOCABULARY, Word


class UncordonNode(Scheduling):
    """Let new pods onto a node."""

    word: ClassVar[Word] = VOCABULARY["uncordon_node"]
    closed: ClassVar[bool] = False
    change: ClassVar[str] = "allow new pods on"
