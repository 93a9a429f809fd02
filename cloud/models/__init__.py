"""Tables of cloud accounts and of what they hold."""

from cloud.models.account import CloudAccount

__all__ = ["CloudAccount"]
