"""How often what is random is tried: a tenth of what INGESTD_ALL_SEEDS=1 tries, so that all the tests end in half an hour."""
import os

ALL = bool(os.environ.get("INGESTD_ALL_SEEDS"))


def some(n):
    """Of n the number to be tried, 2 at least."""
    return n if ALL else max(n // 10, min(n, 2))
