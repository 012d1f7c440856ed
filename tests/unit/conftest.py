"""The real images, for the tests that need them, and no haste for those that try many inputs."""

import pytest
from hypothesis import settings
from refashion import dataset

# A busy machine is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """The tensor file, from whichever source this machine has."""
    out = tmp_path_factory.mktemp("whole") / "paper.safetensors"
    dataset.fetch(["system", "torchvision", "debian"], None, out)
    return out
