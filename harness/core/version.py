"""The version, where everything can read it."""

__version__ = "1.0.0rc1"
