"""The real Snakefile at smoke scale, in copies of this checkout."""

import pytest
from checkout import Checkout, new_checkout, new_example


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Checkout:
    """A checkout in which the whole smoke run has been made. Tests leave it as it is."""
    checkout = new_checkout(tmp_path_factory.mktemp("finished") / "refashion")
    checkout.snakemake("--cores", "2")
    return checkout


@pytest.fixture
def copy_of_finished(finished, tmp_path) -> Checkout:
    """A finished checkout for one test to change."""
    return finished.copy(tmp_path / "refashion")


@pytest.fixture(scope="session")
def studied(tmp_path_factory) -> Checkout:
    """The example paper with all that is ever made of one; logs tell what jobs imported too."""
    checkout = new_example(tmp_path_factory.mktemp("studied") / "refashion")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPROFILEIMPORTTIME", "1")
        checkout.snakemake("--cores", "2", "--", "all", "studies", "reference")
    return checkout


@pytest.fixture
def copy_of_studied(studied, tmp_path) -> Checkout:
    """The same for one test to change."""
    return studied.copy(tmp_path / "refashion")


@pytest.fixture
def fresh(tmp_path) -> Checkout:
    """A checkout without any results."""
    return new_checkout(tmp_path / "refashion")
