"""Settings of a model's calls that say how it is reached, and change no answer."""

__all__ = ["CALL_SETTINGS"]

CALL_SETTINGS = frozenset(
    {
        "max_retries",
        "timeout",
        "attempt_timeout",
        "max_connections",
        "adaptive_connections",
        "batch",
        "cache",
        "base_url",
    }
)
"""Names in Inspect's generation configuration, and a server's address."""
