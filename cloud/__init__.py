"""One vocabulary over many clouds."""
