"""How many people must say yes, by risk.

In: what the playbook asks for, what the tenant asks for, the risks of the actions. Out: how many. The
stricter of both holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from cloud.adapters.vocabulary import VOCABULARY, Risk, Word

NEEDS: Final[Mapping[str, int]] = {"none": 0, "one": 1, "four-eyes": 2}
"""Words of a policy, and how many people each means."""
DEFAULT: Final[Mapping[str, str]] = {Risk.LOW: "none", Risk.MEDIUM: "one", Risk.HIGH: "four-eyes"}
"""The policy of a tenant that has set none."""


def people_needed(risk: Risk, *policies: Mapping[str, str]) -> int:
    """How many people must approve an action of this risk under all of these policies."""
    return max((NEEDS[policy.get(risk, "none")] for policy in policies), default=0)


def people_needed_for(words: Iterable[Word], *policies: Mapping[str, str]) -> int:
    """How many people must approve a plan that may say these words."""
    return max((people_needed(word.risk, *policies) for word in words), default=0)


def word_named(name: str) -> Word:
    """The word of the vocabulary."""
    return VOCABULARY[name]
