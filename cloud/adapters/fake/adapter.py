"""The adapter `fake`: every word, on things that exist in memory.

In: an account that names a world. Out: what any adapter gives. Refused: things that the world does not
have, and whatever its faults say. The words differ in what happens when they are asked for twice, as those
of providers do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final

from cloud.adapters.errors import ResourceGone
from cloud.adapters.fake.world import Effect, World, world
from cloud.adapters.protocol import (
    AccountCredentials,
    AccountSettings,
    Action,
    Exchange,
    Json,
    MetricQuery,
    MetricSeries,
    Progress,
    Receipt,
    Repeat,
    Resource,
    Sight,
    Stage,
    Surroundings,
)
from cloud.adapters.vocabulary import VOCABULARY, GroupSize, Parameters, ServiceSize, Word

REPEATS: Final[Mapping[str, Repeat]] = {
    "restart_service": Repeat.OBSERVED,
    "restart_instance": Repeat.KEYED,
    "replace_member": Repeat.KEYED,
    "send_request": Repeat.NEVER,
    "run_document": Repeat.NEVER,
    "restart_database": Repeat.NEVER,
}
"""Other words set a state."""
_NAMED_BY: Final = ("service", "instance", "group", "database", "pod", "node", "function", "host", "path")


class FakeSettings(AccountSettings):
    """Which world."""

    world: str = "default"
    things: dict[str, int] = {}
    """What a world of another process holds before anything is done."""


class FakeCredentials(AccountCredentials):
    """None are needed."""


class FakeSession:
    """An open world."""

    def __init__(self, settings: FakeSettings) -> None:
        self.world: World = world(settings.world)
        for name, count in settings.things.items():
            self.world.things.setdefault(name, count)
        self._kept: list[Exchange] = []

    def note(self, request: str, sent: Json, status: str) -> None:
        """Keep an exchange."""
        self._kept.append(Exchange(request, sent, status, {}, 0.0))

    def exchanges(self) -> list[Exchange]:
        """The calls since this was last asked."""
        kept, self._kept = self._kept, []
        return kept

    def close(self) -> None:
        """Nothing is open."""


class FakeAction:
    """One word."""

    permissions: ClassVar[tuple[str, ...]] = ()

    def __init__(self, word: Word) -> None:
        self.word = word  # type: ignore[misc]
        self.repeat = REPEATS.get(word.name, Repeat.ABSOLUTE)  # type: ignore[misc]

    word: ClassVar[Word]
    repeat: ClassVar[Repeat]

    def look(self, session: FakeSession, parameters: Parameters) -> Sight:
        """What is. The thing must be there."""
        with session.world.lock:
            session.world.trip("look", after=False)
            name = _name(parameters)
            session.note(f"look {self.word.name}", {"name": name}, "200")
            count = self._count(session.world, name)
            before = {"count": count, "size": count}
            session.world.trip("look", after=True)
        return Sight((name,), f"{self.word.name} {name}", session.world.group_size, before, 0.0)

    def act(self, session: FakeSession, parameters: Parameters, sight: Sight, *, key: str) -> Receipt:
        """Do it at once; a key that is known is not done again where the word knows keys."""
        del sight
        here = session.world
        with here.lock:
            here.trip("act", after=False)
            name = _name(parameters)
            self._count(here, name)
            here.asked[key] += 1
            session.note(f"act {self.word.name}", {"name": name, "key": key}, "202")
            known = any(effect.key == key for effect in here.effects)
            if not (known and self.repeat in {Repeat.KEYED, Repeat.ABSOLUTE}):
                here.effects.append(Effect(key, self.word.name, parameters.model_dump(mode="json")))
                here.things[name] = getattr(parameters, "size", here.things[name] + 1)
            here.trip("act", after=True)
        return Receipt({"key": key}, f"request-{key[:8]}")

    def happened(
        self, session: FakeSession, parameters: Parameters, before: Json, *, key: str
    ) -> Receipt | None:
        """If the count has moved."""
        with session.world.lock:
            session.world.trip("happened", after=False)
            moved = self._count(session.world, _name(parameters)) != int(before["count"])
            return Receipt({"key": key}) if moved else None

    def progress(self, session: FakeSession, parameters: Parameters, receipt: Receipt) -> Progress:
        """Under way for as often as the world says."""
        here = session.world
        with here.lock:
            here.trip("progress", after=False)
            self._count(here, _name(parameters))
            key = str(receipt.operation.get("key", _name(parameters)))
            here.polled[key] += 1
            if self.word.name in here.failing:
                return Progress(Stage.FAILED, "it did not come up")
            stage = Stage.DONE if here.polled[key] > here.polls else Stage.RUNNING
        return Progress(stage, "ready" if stage is Stage.DONE else "starting")

    def undo(self, parameters: Parameters, before: Json) -> Parameters | None:
        """The size it had; the same thing for words that have another word as inverse."""
        if self.word.inverse is None:
            return None
        if isinstance(parameters, ServiceSize | GroupSize):
            return parameters.model_copy(update={"size": before["count"]})
        return parameters

    def _count(self, here: World, name: str) -> int:
        if name not in here.things:
            raise ResourceGone(f"there is no {name!r}")
        return here.things[name]


def _name(parameters: Parameters) -> str:
    values = parameters.model_dump()
    return str(next((values[field] for field in _NAMED_BY if field in values), "account"))


class FakeAdapter:
    """A provider in memory."""

    name: ClassVar[str] = "fake"
    settings: ClassVar[type[FakeSettings]] = FakeSettings
    credentials: ClassVar[type[FakeCredentials]] = FakeCredentials
    actions: ClassVar[Mapping[str, Action]] = {word.name: FakeAction(word) for word in VOCABULARY.values()}

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings

    def open(self, settings: FakeSettings, credentials: FakeCredentials) -> FakeSession:
        """A session of the world."""
        del credentials
        return FakeSession(settings)

    def check(self, session: FakeSession) -> str:
        """Always the same."""
        session.world.trip("check", after=False)
        return "fake"

    def inventory(self, session: FakeSession) -> Iterator[Sequence[Resource]]:
        """Everything, in one page."""
        yield [
            Resource("service", name, name, "memory", "running", True)
            for name in sorted(session.world.things)
        ]

    def metrics(self, session: FakeSession, queries: Sequence[MetricQuery]) -> Iterator[MetricSeries]:
        """None."""
        del session, queries
        yield from ()
