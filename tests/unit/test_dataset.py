"""What the loader promises, on the real Fashion-MNIST."""

import gzip
import hashlib
import shutil
import socket
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from refashion.errors import UserError
from refashion.training import dataset, sources

NAMES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
TEST_LABELS_SHA256 = "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"


@pytest.fixture(scope="session")
def plain(whole, tmp_path_factory):
    """A folder with the four files, decompressed."""
    folder = tmp_path_factory.mktemp("plain")
    for tensor, array in safetensors.numpy.load_file(whole).items():
        header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        (folder / NAMES[tensor]).write_bytes(header + array.tobytes())
    return folder


@pytest.fixture(scope="session")
def few(whole, tmp_path_factory):
    """A tensor file of 20 + 10 images."""
    out = tmp_path_factory.mktemp("few") / "few.safetensors"
    dataset.subset(whole, 20, 10, out)
    return out


@pytest.fixture
def small(few, tmp_path):
    """A test's own copy of the few images, to spoil."""
    for path in few.parent.iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path / few.name


@pytest.fixture
def folder(plain, tmp_path):
    """A folder of a test's own with the four files, as links that a test may replace."""
    own = tmp_path / "files"
    own.mkdir()
    for name in NAMES.values():
        (own / name).symlink_to(plain / name)
    return own


def replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def refusal(folder: Path, tmp_path: Path, *later_sources: str) -> str:
    """The message with which a folder's files are refused; nothing may be written."""
    out = tmp_path / "out" / "paper.safetensors"
    with pytest.raises(UserError) as refused:
        sources.fetch(["folder", *later_sources], str(folder), out)
    assert not out.parent.exists()
    return str(refused.value)


def put_on_path(monkeypatch, folder: Path, **programs: str) -> None:
    """Let shell scripts stand for programs; the real ones cannot be found any more."""
    folder.mkdir()
    for name, script in programs.items():
        program = folder / name.replace("_", "-")
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_tensor_file_holds_the_real_fashion_mnist(whole):
    data = dataset.load(whole)
    assert data.train_images.shape == (60_000, 28, 28)
    assert data.test_images.shape == (10_000, 28, 28)
    assert data.train_images.dtype == data.test_labels.dtype == np.uint8
    assert np.bincount(data.train_labels).tolist() == [6000] * 10
    assert np.bincount(data.test_labels).tolist() == [1000] * 10
    assert data.train_labels[:5].tolist() == [9, 0, 0, 3, 0]
    assert data.train_images.mean() / 255 == pytest.approx(0.2860, abs=5e-5)


def test_checksum_beside_the_tensor_file_is_its_sha256(whole):
    sha256 = hashlib.sha256(whole.read_bytes()).hexdigest()
    assert whole.with_suffix(".sha256").read_text() == f"{sha256}\n"
    assert dataset.load(whole).sha256 == sha256


def test_plain_files_give_the_same_bytes_as_any_other_source(whole, plain, tmp_path):
    out = tmp_path / "paper.safetensors"
    sources.fetch(["folder"], str(plain), out)
    assert out.read_bytes() == whole.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["paper.safetensors", "paper.sha256"]


def test_gz_and_plain_files_may_stand_side_by_side(whole, folder, tmp_path):
    for tensor in ("train_labels", "test_images", "test_labels"):
        name = NAMES[tensor]
        compressed = gzip.compress((folder / name).read_bytes(), compresslevel=1)
        (folder / f"{name}.gz").write_bytes(compressed)
        (folder / name).unlink()
    out = tmp_path / "paper.safetensors"
    sources.fetch(["folder"], str(folder), out)
    assert out.read_bytes() == whole.read_bytes()


def test_gz_name_on_a_file_decompressed_on_the_way_does_no_harm(whole, folder, tmp_path):
    for name in NAMES.values():
        (folder / name).rename(folder / f"{name}.gz")
    out = tmp_path / "paper.safetensors"
    sources.fetch(["folder"], str(folder), out)
    assert out.with_suffix(".sha256").read_text() == whole.with_suffix(".sha256").read_text()


def test_truncated_file_is_refused_with_both_checksums(folder, tmp_path):
    path = folder / NAMES["test_labels"]
    content = path.read_bytes()[:-1]
    replace(path, content)
    message = refusal(folder, tmp_path)
    assert f"{path}: expected sha256 {TEST_LABELS_SHA256} of 10008 bytes" in message
    assert f"found {hashlib.sha256(content).hexdigest()} of 10007 bytes" in message
    assert "take folder out of dataset.sources" in message


def test_one_flipped_bit_is_refused(folder, tmp_path):
    path = folder / NAMES["train_images"]
    content = bytearray(path.read_bytes())
    content[40_000_000] ^= 1
    replace(path, bytes(content))
    message = refusal(folder, tmp_path)
    assert f"{path}: expected sha256 c59f468a2f67" in message
    assert f"found {hashlib.sha256(content).hexdigest()} of 47040016 bytes" in message


def test_swapped_files_are_both_named_with_what_they_really_are(folder, tmp_path):
    train, test = folder / NAMES["train_labels"], folder / NAMES["test_labels"]
    train.rename(folder / "aside")
    test.rename(train)
    (folder / "aside").rename(test)
    first, second, _way_out = refusal(folder, tmp_path).splitlines()
    assert first.startswith(f"{train}: ")
    assert f"that of {test.name}" in first
    assert second.startswith(f"{test}: ")
    assert f"that of {train.name}" in second


@pytest.mark.parametrize("kept", [5, 15, 2000, -1], ids=lambda kept: f"{kept} bytes")
def test_truncated_gz_is_refused(folder, tmp_path, kept):
    path = folder / NAMES["test_labels"]
    compressed = gzip.compress(path.read_bytes())
    path.unlink()
    (folder / f"{path.name}.gz").write_bytes(compressed[:kept])
    message = refusal(folder, tmp_path)
    assert f"{path}.gz: expected sha256 {TEST_LABELS_SHA256}" in message
    assert "found a broken gzip file" in message


@pytest.mark.parametrize("place", [10, 1000, -6], ids=["block", "data", "checksum"])
def test_corrupt_gz_is_refused(folder, tmp_path, place):
    path = folder / NAMES["test_labels"]
    compressed = bytearray(gzip.compress(path.read_bytes()))
    compressed[place] ^= 0xFF
    path.unlink()
    (folder / f"{path.name}.gz").write_bytes(compressed)
    assert f"{path}.gz: expected sha256 {TEST_LABELS_SHA256}" in refusal(folder, tmp_path)


def test_missing_file_among_the_four_is_named(folder, tmp_path):
    path = folder / NAMES["test_images"]
    path.unlink()
    message = refusal(folder, tmp_path)
    assert f"{path}: neither this file nor its .gz is there" in message


def test_file_that_may_not_be_read_is_named(folder, tmp_path, monkeypatch):
    path, read_bytes = folder / NAMES["train_labels"], Path.read_bytes

    def deny(self):  # root may read any file, so no file mode would do
        if self == path:
            raise PermissionError(13, "Permission denied", str(path))
        return read_bytes(self)

    monkeypatch.setattr(Path, "read_bytes", deny)
    message = refusal(folder, tmp_path)
    assert f"{path}: cannot be read: Permission denied" in message


def test_wrong_files_are_not_passed_over_for_a_later_source(folder, plain, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "SYSTEM_FOLDER", plain)
    replace(folder / NAMES["test_labels"], b"")
    assert "found e3b0c44298fc" in refusal(folder, tmp_path, "system")


def test_source_without_files_is_passed_over_and_logged(plain, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "SYSTEM_FOLDER", plain)
    lines, absent, out = [], tmp_path / "absent", tmp_path / "paper.safetensors"
    sources.fetch(["folder", "system"], str(absent), out, log=lines.append)
    assert lines[0] == f"source folder: {absent}: has none of the four files"
    assert lines[1].startswith("source system: has Fashion-MNIST")
    assert out.exists()


def test_no_source_answering_lists_every_source_and_the_ways_out(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "SYSTEM_FOLDER", tmp_path / "absent")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent" / "python"))
    put_on_path(monkeypatch, tmp_path / "bin", apt_get="echo E: Unable to locate it >&2; exit 100")
    out = tmp_path / "out" / "paper.safetensors"
    with pytest.raises(UserError) as refused:
        sources.fetch(["folder", "system", "torchvision", "debian"], None, out)
    message = str(refused.value)
    assert "  folder: dataset.folder is not set in config.yaml\n" in message
    assert f"  system: {tmp_path / 'absent'}: has none of the four files\n" in message
    assert "  torchvision: torchvision: No such file or directory\n" in message
    assert "  debian: apt-get failed: E: Unable to locate it\n" in message
    assert "apt-get install dataset-fashion-mnist" in message
    assert "apt-get update" in message
    assert "set dataset.folder to it in config.yaml" in message
    assert not out.parent.exists()


def test_machine_without_apt_is_told_so(tmp_path, monkeypatch):
    put_on_path(monkeypatch, tmp_path / "bin")
    with pytest.raises(UserError, match="debian: apt-get: No such file or directory"):
        sources.fetch(["debian"], None, tmp_path / "paper.safetensors")


def test_debian_package_is_unpacked_without_being_installed(whole, plain, tmp_path, monkeypatch):
    put_on_path(
        monkeypatch,
        tmp_path / "bin",
        apt_get='for package; do :; done; echo > "${package}_1_all.deb"',
        dpkg_deb='[ "$1 $2" = "-x dataset-fashion-mnist_1_all.deb" ] && cd "$3" '
        "&& PATH=/bin:/usr/bin && mkdir -p usr/share/datasets "
        f"&& ln -s {plain} usr/share/datasets/fashion-mnist",
    )
    out = tmp_path / "paper.safetensors"
    sources.fetch(["debian"], None, out)
    assert out.read_bytes() == whole.read_bytes()


def test_mirror_that_never_speaks_is_given_up_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "SILENCE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("http_proxy", "http://{}:{}".format(*silent.getsockname()))
        with pytest.raises(UserError, match=r"torchvision: torchvision failed: .*timed out"):
            sources.fetch(["torchvision"], None, tmp_path / "paper.safetensors")


def test_download_without_end_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "DOWNLOAD_SECONDS", 0.2)
    put_on_path(monkeypatch, tmp_path / "bin", apt_get="exec /bin/sleep 60")
    with pytest.raises(UserError, match=r"debian: apt-get: not done after 0\.2 s"):
        sources.fetch(["debian"], None, tmp_path / "paper.safetensors")


def test_mirror_is_read_where_torchvision_leaves_its_files(whole, plain, tmp_path, monkeypatch):
    stand_in = tmp_path / "torchvision"
    stand_in.mkdir()
    (stand_in / "__init__.py").touch()
    (stand_in / "datasets.py").write_text(
        "import os\n"
        "def FashionMNIST(root, download):\n"
        "    os.makedirs(f'{root}/FashionMNIST')\n"
        f"    os.symlink({str(plain)!r}, f'{{root}}/FashionMNIST/raw')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    out = tmp_path / "paper.safetensors"
    sources.fetch(["torchvision"], None, out)
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("named", [["folder", "sytem"], []], ids=["unknown", "none"])
def test_sources_that_cannot_work_are_refused(tmp_path, named):
    with pytest.raises(UserError, match=r"sytem is not one of folder, system|sources is empty"):
        sources.fetch(named, None, tmp_path / "paper.safetensors")


@pytest.mark.parametrize("failing", [1, 2, 3], ids=["sha256 unwritten", "neither", "first placed"])
def test_write_that_fails_leaves_no_partial_file(few, tmp_path, monkeypatch, failing):
    out, calls = tmp_path / "out" / "paper.safetensors", []

    def fail_at(real):
        def call(*arguments):
            calls.append(real)
            if len(calls) == failing + 1:
                raise OSError(28, "No space left on device")
            return real(*arguments)

        return call

    monkeypatch.setattr(Path, "write_bytes", fail_at(Path.write_bytes))
    monkeypatch.setattr(Path, "replace", fail_at(Path.replace))
    with pytest.raises(UserError, match=r"paper\.safetensors: cannot be written: No space left"):
        dataset.subset(few, 10, 10, out)
    whole_files = [out.name] if failing == 3 else []
    assert [path.name for path in out.parent.iterdir()] == whole_files


def test_out_folder_that_cannot_be_made_is_named(few, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/paper\.safetensors: cannot be written"):
        dataset.subset(few, 10, 10, tmp_path / "file" / "paper.safetensors")


def test_failed_fetch_keeps_the_file_that_was_there(tmp_path):
    out = tmp_path / "paper.safetensors"
    out.write_bytes(b"from before")
    with pytest.raises(UserError):
        sources.fetch(["folder"], None, out)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"from before"]


def test_subset_is_the_first_of_each_class_in_order(whole, tmp_path):
    out = tmp_path / "smoke.safetensors"
    dataset.subset(whole, 2000, 1000, out)
    data, part = dataset.load(whole), dataset.load(out)
    assert np.bincount(part.train_labels).tolist() == [200] * 10
    assert np.bincount(part.test_labels).tolist() == [100] * 10
    seen, expected = [0] * 10, []
    for i, label in enumerate(data.train_labels):
        seen[label] += 1
        if seen[label] <= 200:
            expected.append(i)
    assert np.array_equal(part.train_images, data.train_images[expected])
    assert np.array_equal(part.train_labels, data.train_labels[expected])


def test_subset_is_the_same_bytes_each_time(whole, tmp_path):
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    dataset.subset(whole, 50, 20, first)
    dataset.subset(whole, 50, 20, second)
    assert first.read_bytes() == second.read_bytes()


def test_subset_of_everything_is_the_whole(whole, tmp_path):
    out = tmp_path / "all.safetensors"
    dataset.subset(whole, 60_000, 10_000, out)
    assert dataset.load(out).sha256 == dataset.load(whole).sha256


@pytest.mark.parametrize("number", [-10, 0, 5, 15, 30])
def test_subset_refuses_a_number_that_cannot_be_balanced(few, tmp_path, number):
    with pytest.raises(UserError) as refused:
        dataset.subset(few, number, 20, tmp_path / "smoke.safetensors")
    train, test = str(refused.value).splitlines()
    assert f"{few}: train_images: {number} is not a multiple of 10 from 10 to 20" in train
    assert f"{few}: test_images: 20 is not a multiple of 10 from 10 to 10" in test
    assert not list(tmp_path.iterdir())


def test_tensor_file_changed_since_is_refused_with_both_checksums(small):
    recorded = small.with_suffix(".sha256").read_text().strip()
    content = bytearray(small.read_bytes())
    content[-1] ^= 1
    small.write_bytes(content)
    with pytest.raises(UserError) as refused:
        dataset.load(small)
    message = str(refused.value)
    found = hashlib.sha256(content).hexdigest()
    assert message.startswith(f"{small}: sha256 is {found}, but ")
    assert recorded in message
    assert f"delete {small} and " in message


@pytest.mark.parametrize("suffix", [".safetensors", ".sha256"])
def test_loading_names_the_file_that_is_missing_and_the_way_out(small, suffix):
    absent = small.with_suffix(suffix)
    absent.unlink()
    with pytest.raises(UserError, match=r"No such file.*; delete .* and run again") as refused:
        dataset.load(small)
    assert str(refused.value).startswith(f"{absent}: ")


def test_checksum_file_of_garbage_is_refused(small):
    small.with_suffix(".sha256").write_bytes(b"\xff\x00")
    with pytest.raises(UserError, match=r"sha256 is [0-9a-f]{64}, but"):
        dataset.load(small)


def write_with_checksum(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.with_suffix(".sha256").write_text(hashlib.sha256(content).hexdigest())


def test_file_that_holds_no_tensors_is_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    write_with_checksum(path, b"not tensors")
    with pytest.raises(UserError, match=r"x\.safetensors: not a safetensors file"):
        dataset.load(path)


@pytest.mark.parametrize(
    ("tensor", "value", "expected"),
    [
        ("train_images", np.zeros((20, 28, 28), np.float32), "train_images is float32"),
        ("train_images", np.zeros((20, 784), np.uint8), r"expected uint8 \(20, 28, 28\)"),
        ("test_labels", np.zeros(9, np.uint8), r"test_images is .* expected uint8 \(9, 28, 28\)"),
        ("test_labels", np.zeros((10, 1), np.uint8), r"test_labels is uint8 \(10, 1\), expected"),
        ("test_labels", np.array(3, np.uint8), r"test_labels is uint8 \(\), expected uint8 \(1,\)"),
        ("more", np.zeros(1, np.uint8), r"holds the tensors \['more', 'test_images'"),
    ],
)
def test_tensors_of_another_layout_are_refused(small, tensor, value, expected):
    tensors = safetensors.numpy.load_file(small) | {tensor: value}
    write_with_checksum(small, safetensors.numpy.save(tensors))
    with pytest.raises(UserError, match=expected):
        dataset.load(small)
