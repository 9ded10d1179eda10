"""QuestDB 8.2.0."""

from ._older import run  # noqa: F401

VERSION = "8.2.0"
DESCRIPTION = "QuestDB 8.2.0: the types that it knows, schema changes, deduplication, truncate (compare by value: floats print differently)"
