"""A provider in memory, for tests, measurements and demonstrations."""
