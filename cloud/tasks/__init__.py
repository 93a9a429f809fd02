"""Tasks of cloud accounts."""

from cloud.tasks.inventory import sync_account, wake_accounts

__all__ = ["sync_account", "wake_accounts"]
