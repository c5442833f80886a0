"""auto-healer: an event-driven rules engine that repairs infrastructure."""

__version__ = "0.1.0"
