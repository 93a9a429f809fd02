"""Rules evaluated tick by tick: which are due, what holds, what changes state."""
