"""The loop: metrics against hand computation, the same bits again, after a kill too."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from refashion import dataset, papers, training
from refashion.dataset import Dataset
from refashion.errors import UserError
from refashion.evaluation import evaluate, mean_of_batch_means, normalise, sample_losses
from refashion.training import train
from safetensors.numpy import load_file
from stock import stock_layers
from torch.nn import functional as F

PAPER = papers.load_paper(Path(__file__).parents[2] / "workflow/papers/caprari2025.yaml")


@pytest.fixture(scope="module")
def images() -> Dataset:
    """Noise in the form of the data set: what is tested here does not depend on the images."""
    random = np.random.default_rng(0)
    labels = np.tile(np.arange(10, dtype=np.uint8), 40)
    pixels = random.integers(0, 256, (400, 28, 28), dtype=np.uint8)
    return Dataset(pixels[:300], labels[:300], pixels[300:], labels[300:], sha256="made up")


def _train(row, images, out, **options):
    lines = []
    options = {"seed": 3, "epochs": 3, "log": lines.append} | options
    metrics = train(PAPER.row(row), images, out=out, **options)
    return metrics, lines


def _history(folder):
    """Every column but the seconds, which no two runs share."""
    with (folder / "history.csv").open() as file:
        return [{k: v for k, v in line.items() if k != "seconds"} for line in csv.DictReader(file)]


def test_mean_of_batch_means_counts_a_short_last_batch_as_a_whole_one():
    values = torch.tensor([1.0, 1.0, 1.0, 1.0, 4.0])
    assert mean_of_batch_means(values, 2) == pytest.approx((1 + 1 + 4) / 3)
    assert mean_of_batch_means(values, 4) == pytest.approx((1 + 4) / 2)
    assert mean_of_batch_means(values, 5) == pytest.approx(8 / 5)


def test_normalisation_is_that_of_torchvision():
    pixels = torch.arange(256, dtype=torch.uint8).repeat(4)[:784].view(1, 28, 28)
    scaled = (pixels.unsqueeze(1).float() / 255 - 0.5) / 0.5
    assert torch.equal(normalise(pixels, {"mean": 0.5, "std": 0.5}), scaled)


def test_sample_losses_are_torch_losses_image_by_image():
    outputs, targets = torch.rand(6, 1, 28, 28), torch.rand(6, 1, 28, 28)
    losses = sample_losses("reconstruction", outputs, targets, torch.zeros(6))
    for i in range(6):
        expected = ((outputs[i] - targets[i]) ** 2).mean()
        assert losses[i].item() == pytest.approx(expected.item(), rel=1e-6)
    logits, labels = torch.randn(6, 10), torch.arange(6)
    losses = sample_losses("classification", logits, targets, labels)
    by_hand = logits.exp().sum(1).log() - logits[torch.arange(6), labels]
    torch.testing.assert_close(losses, by_hand)


class _Fixed(torch.nn.Module):
    """Gives every image the logits that its first pixel names."""

    def forward(self, x):
        classes = ((x[:, 0, 0, 0] + 1) / 2 * 255).round().long()
        return 5.0 * F.one_hot(classes, 10).float()


def test_accuracy_loss_and_confusion_against_counting_by_hand():
    pixels = torch.zeros(5, 28, 28, dtype=torch.uint8)
    pixels[:, 0, 0] = torch.tensor([0, 1, 2, 2, 9])  # what is predicted
    labels = torch.tensor([0, 1, 2, 3, 8])
    metrics, confusion = evaluate(
        _Fixed(), "classification", pixels, labels, {"mean": 0.5, "std": 0.5}, batch_size=2
    )
    right, wrong = np.log(np.exp(5) + 9) - 5, np.log(np.exp(5) + 9)
    assert metrics["accuracy"] == pytest.approx(3 / 5)
    assert metrics["accuracy_batch_mean"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert metrics["loss"] == pytest.approx((3 * right + 2 * wrong) / 5, rel=1e-6)
    expected = (right + (right + wrong) / 2 + wrong) / 3
    assert metrics["loss_batch_mean"] == pytest.approx(expected, rel=1e-6)
    counts = {(0, 0): 1, (1, 1): 1, (2, 2): 1, (3, 2): 1, (8, 9): 1}
    assert {tuple(at.tolist()): int(confusion[tuple(at)]) for at in confusion.nonzero()} == counts


@pytest.mark.parametrize("row", ["t4-arch2-linear", "t9-n2_128-sgd-m09", "t9-base"])
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(images, tmp_path, row):
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        _train(row, images, tmp_path / name, seed=seed)
    one, two, other = (
        (tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two", "other")
    )
    assert one == two
    assert one != other
    assert _history(tmp_path / "one") == _history(tmp_path / "two")


@pytest.mark.parametrize("row", ["t4-arch2-linear", "t9-n2_128-sgd-m09"])
def test_killed_training_resumes_to_the_same_bits(images, tmp_path, row):
    class KilledError(Exception):
        pass

    def die_after_the_second_epoch(line):
        if line.startswith("epoch 2/"):
            raise KilledError

    _train(row, images, tmp_path / "whole")
    with pytest.raises(KilledError):
        _train(row, images, tmp_path / "killed", log=die_after_the_second_epoch)
    assert (tmp_path / "killed/checkpoint.safetensors").exists()
    _, lines = _train(row, images, tmp_path / "killed")
    assert lines[0] == "going on after epoch 2"
    for file in ("model.safetensors", "examples.safetensors"):
        if (tmp_path / "whole" / file).exists():
            whole, resumed = (tmp_path / name / file for name in ("whole", "killed"))
            assert whole.read_bytes() == resumed.read_bytes()
    assert _history(tmp_path / "whole") == _history(tmp_path / "killed")
    assert not (tmp_path / "killed/checkpoint.safetensors").exists()


def test_a_checkpoint_of_another_training_is_not_taken_up(images, tmp_path):
    def die(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _train("t9-base", images, tmp_path / "run", log=die)
    _, lines = _train("t9-base", images, tmp_path / "run", seed=4)
    assert "of another training" in lines[0]
    _train("t9-base", images, tmp_path / "clean", seed=4)
    assert (tmp_path / "run/model.safetensors").read_bytes() == (
        tmp_path / "clean/model.safetensors"
    ).read_bytes()


def test_a_loss_that_is_not_finite_ends_the_training_as_diverged(images, tmp_path):
    row = PAPER.row("t9-n2_128-sgd")
    hot = papers.Row(**{**vars(row), "spec": row.spec | {"learning_rate": 1e30}})
    metrics = train(hot, images, 0, tmp_path, epochs=3, log=lambda line: None)
    assert metrics["status"] == "diverged"
    assert metrics["diverged_at_epoch"] == 1
    assert metrics["best"] == metrics["final"] == {}
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["status"] == "diverged"
    assert (tmp_path / "history.csv").read_text().startswith("epoch,seconds")


def test_progress_tells_epoch_losses_and_time_left(images, tmp_path):
    _, lines = _train("t9-base", images, tmp_path)
    assert len(lines) == 3
    assert lines[1].startswith("epoch 2/3  train ")
    assert "elapsed 0:00:" in lines[1]
    assert lines[2].endswith("left 0:00:00")


def test_metrics_say_what_made_them(images, tmp_path):
    metrics, _ = _train("t4-arch1-nolinear", images, tmp_path)
    assert metrics["parameters"] == 305
    assert metrics["seed"] == 3
    assert metrics["spec"]["epochs"] == 3
    assert metrics["torch"] == torch.__version__
    assert metrics["code_sha256"] == training.code_sha256()
    assert len(metrics["layers"]) == 4
    examples = load_file(tmp_path / "examples.safetensors")
    assert examples["targets"].shape == examples["outputs"].shape == (10, 28, 28)
    assert examples["labels"].tolist() == list(range(10))


def test_exported_encoder_starts_a_classifier_and_stays_as_it_was(images, tmp_path):
    donor = PAPER.row("t4-arch2-nolinear")
    _train("t4-arch2-nolinear", images, tmp_path / "donor")
    exported = tmp_path / "encoder.safetensors"
    training.export_encoder(donor, tmp_path / "donor/model.safetensors", exported)
    _train("t8-pretrained", images, tmp_path / "classifier", encoder=exported)
    classifier = load_file(tmp_path / "classifier/model.safetensors")
    for name, weights in load_file(exported).items():
        assert np.array_equal(classifier[f"encoder.{name}"], weights)
    description = json.loads(exported.with_suffix(".json").read_text())
    assert description["code_shape"] == [32, 7, 7]
    assert description["row"] == "t4-arch2-nolinear"


def test_a_row_that_needs_an_encoder_says_so(images, tmp_path):
    with pytest.raises(UserError, match=r"t8-pretrained reuses the encoder of t4-arch2-nolinear"):
        _train("t8-pretrained", images, tmp_path)


def test_an_encoder_that_does_not_fit_is_named(images, tmp_path):
    _train("t4-arch1-nolinear", images, tmp_path / "donor", epochs=1)
    exported = tmp_path / "encoder.safetensors"
    model = tmp_path / "donor/model.safetensors"
    training.export_encoder(PAPER.row("t4-arch1-nolinear"), model, exported)
    with pytest.raises(UserError, match=r"encoder\.safetensors: not an encoder for"):
        _train("t8-pretrained", images, tmp_path / "classifier", encoder=exported)


def _stock_validation_loss(row, data, seed):
    """The loop of a notebook over torch's own layers: Adam, shuffled batches, dropout by torch."""
    torch.manual_seed(seed)
    model = stock_layers(row.network)
    optimizer = torch.optim.Adam(model.parameters(), lr=row.spec["learning_rate"])
    images, labels = (
        torch.from_numpy(a) for a in (data.train_images, data.train_labels.astype("int64"))
    )
    for _ in range(2):
        model.train()
        for batch in torch.randperm(len(images)).split(row.spec["batch_size"]):
            optimizer.zero_grad()
            outputs = model(normalise(images[batch], row.spec["normalisation"]))
            F.cross_entropy(outputs, labels[batch]).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        tests = normalise(torch.from_numpy(data.test_images), row.spec["normalisation"])
        return F.cross_entropy(model(tests), torch.from_numpy(data.test_labels).long()).item()


def test_real_training_ends_where_torch_layers_end_within_the_noise_of_seeds(whole, tmp_path):
    dataset.subset(whole, 5000, 1000, tmp_path / "part.safetensors")
    data = dataset.load(tmp_path / "part.safetensors")
    row = PAPER.row("t9-base")
    ours, stock = [], []
    for seed in range(4):
        metrics, _ = _train("t9-base", data, tmp_path / str(seed), seed=seed, epochs=2)
        ours.append(metrics["final"]["val_loss"])
        stock.append(_stock_validation_loss(row, data, seed))
    noise = np.hypot(np.std(ours, ddof=1), np.std(stock, ddof=1)) / np.sqrt(len(ours))
    assert abs(np.mean(ours) - np.mean(stock)) < 4 * noise
    assert max(ours) < 1.2, "nothing was learnt, so nothing was compared"
