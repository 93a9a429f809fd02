"""`cordon_node` by Kubernetes."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.kubernetes.scheduling import Scheduling
from cloud.adapters.vocabulary import VOCABULARY, Word


class CordonNode(Scheduling):
    """Keep new pods off a node."""

    word: ClassVar[Word] = VOCABULARY["cordon_node"]
    closed: ClassVar[bool] = True
    change: ClassVar[str] = "put nothing new on"
