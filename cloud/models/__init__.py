"""Tables of cloud accounts and of what they hold."""

from cloud.models.account import CloudAccount
from cloud.models.resource import CloudResource

__all__ = ["CloudAccount", "CloudResource"]
