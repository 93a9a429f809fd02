"""The Telegram receiver."""
