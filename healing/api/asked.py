"""What views of healing ask of a request: its body, and whether a person sent it."""

from __future__ import annotations

from typing import Any

from rest_framework.serializers import BaseSerializer

from alertsite.tenancy.models import User


class Asked:
    """What actions of the views share."""

    request: Any

    @property
    def is_person(self) -> bool:
        """Whether a person signed in; an API key is a machine, whoever made it."""
        return isinstance(self.request.user, User)

    def read(self, serializer: type[BaseSerializer[Any]]) -> dict[str, Any]:
        """The body, checked."""
        asked = serializer(data=self.request.data)
        asked.is_valid(raise_exception=True)
        return dict(asked.validated_data)
