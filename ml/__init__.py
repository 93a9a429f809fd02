"""Series in, score series out."""
