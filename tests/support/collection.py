"""Garbage collection that ignores what the whole run keeps: the tests, and the modules that they import."""

import gc
from collections.abc import Generator

import pytest

# After how many new objects Python looks for unreachable ones; its own 700 suits smaller programs.
_NEW_OBJECTS = 20_000


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while tests are collected, and never again among what was collected.

    Each of these searches visits some 400,000 objects.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
        gc.enable()
