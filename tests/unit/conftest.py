"""The real images, for the tests that need them."""

import pytest
from refashion import dataset


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """The tensor file, from whichever source this machine has."""
    out = tmp_path_factory.mktemp("whole") / "paper.safetensors"
    dataset.fetch(["system", "torchvision", "debian"], None, out)
    return out
