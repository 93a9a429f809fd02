"""What the process reads from its environment, split by subject. `docs/settings.md` lists every variable."""
