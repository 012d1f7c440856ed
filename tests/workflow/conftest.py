"""The real Snakefile at smoke scale, in copies of this checkout."""

import os
import shutil

import pytest
from checkout import Checkout, copy_without_results, new_checkout


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Checkout:
    """A checkout in which the whole smoke run has been made. Tests leave it as it is."""
    checkout = new_checkout(tmp_path_factory.mktemp("finished") / "refashion")
    checkout.snakemake("--cores", "2")
    return checkout


@pytest.fixture
def copy_of_finished(finished, tmp_path) -> Checkout:
    """A finished checkout for one test to change; results are links, as jobs make new files."""
    folder = tmp_path / "refashion"
    copy_without_results(finished.folder, folder)
    shutil.copytree(finished.path("results"), folder / "results", copy_function=os.link)
    return Checkout(folder)


@pytest.fixture
def fresh(tmp_path) -> Checkout:
    """A checkout without any results."""
    return new_checkout(tmp_path / "refashion")
