"""The real images, for the tests that need them, and no haste for those that try many inputs."""

import sys

import pytest
from hypothesis import settings
from refashion.training import sources

# A busy machine is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def small_numbers_are_not_flushed_to_zero_for_the_next_test():
    """A training has the processor do so, for the whole process."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """The tensor file, from whichever source this machine has."""
    out = tmp_path_factory.mktemp("whole") / "paper.safetensors"
    sources.fetch(["system", "torchvision", "debian"], None, out)
    return out
