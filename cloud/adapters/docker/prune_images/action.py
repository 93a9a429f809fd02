"""`prune_images` by Docker: images that no container uses, older than so many hours."""

from __future__ import annotations

from typing import ClassVar

from cloud.adapters.docker.session import DockerSession
from cloud.adapters.protocol import Progress, Receipt, Repeat, Sight, Stage
from cloud.adapters.sdk import Doing
from cloud.adapters.vocabulary import VOCABULARY, Images, Word


class PruneImages(Doing):
    """What is gone is gone: asking again removes nothing more than has become unused since."""

    word: ClassVar[Word] = VOCABULARY["prune_images"]
    permissions: ClassVar[tuple[str, ...]] = ("GET /images/json", "POST /images/prune")
    repeat: ClassVar[Repeat] = Repeat.ABSOLUTE

    def look(self, session: DockerSession, parameters: Images) -> Sight:
        """How many images no container uses; the engine alone knows which are old enough."""
        found = session.ask("images")
        unused = [each for each in found if each.get("Containers", -1) <= 0]
        held = sum(each.get("Size", 0) for each in unused)
        return Sight(
            (session.settings.engine,),
            change=f"remove up to {len(unused)} images ({held // 1_000_000} MB) that are older than "
            f"{parameters.older_than_h} h and unused",
            before={"images": len(found)},
        )

    def act(self, session: DockerSession, parameters: Images, sight: Sight, *, key: str) -> Receipt:  # noqa: ARG002
        """Remove them."""
        filters = {"until": f"{parameters.older_than_h}h", "dangling": False}
        freed = session.ask("prune_images", filters=filters)
        return Receipt({"bytes": freed.get("SpaceReclaimed", 0)})

    def progress(self, session: DockerSession, parameters: Images, receipt: Receipt) -> Progress:  # noqa: ARG002
        """The engine answers when it has removed them."""
        return Progress(Stage.DONE, f"{receipt.operation['bytes'] // 1_000_000} MB reclaimed")
