"""How samples arrive: request bodies in, samples in the store out."""
