"""How a run moves on, step by step, and how it is known to have worked."""
