"""A sandboxed interpreter of Go's text/template: text in, text out, bounded in time, memory and size."""
