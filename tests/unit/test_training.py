"""The loop: metrics against hand computation, the same bits again, after a kill too."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import synthetic
import torch
import yaml
from refashion.errors import UserError
from refashion.paper import papers
from refashion.paper.spec import EarlyStopping, Normalisation
from refashion.paper.spec import Split as Shares
from refashion.training import dataset, loop
from refashion.training.dataset import Dataset
from refashion.training.evaluation import (
    describe_outputs,
    evaluate,
    mean_of_batch_means,
    normalise,
    sample_losses,
)
from refashion.training.export import export_encoder
from refashion.training.job import Job, code_sha256
from refashion.training.loop import train
from refashion.training.progress import stagnates
from refashion.training.splits import Split, make_splits
from safetensors.numpy import load_file
from stock import stock_layers
from torch.nn import functional as F

FILE = Path(__file__).parents[2] / "workflow/papers/caprari2025.yaml"
DATA = yaml.safe_load(FILE.read_text(encoding="utf-8"))
PAPER = papers.load_paper(FILE)


@pytest.fixture(scope="module")
def images() -> Dataset:
    """Noise in the form of the data set: what is tested here does not depend on the images."""
    random = np.random.default_rng(0)
    labels = np.tile(np.arange(10, dtype=np.uint8), 40)
    pixels = random.integers(0, 256, (400, 28, 28), dtype=np.uint8)
    return Dataset(pixels[:300], labels[:300], pixels[300:], labels[300:], sha256="made up")


def _train(row, images, out, spec=None, **options):
    """``spec``: settings in place of the row's own."""
    lines = []
    options = {"seed": 3, "epochs": 3, "log": lines.append} | options
    log = options.pop("log")
    paper = synthetic.load(synthetic.changed(DATA, "rows", row, **spec or {}))
    return train(Job(paper.row(row), images, **options), out, log), lines


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
    assert torch.equal(normalise(pixels, Normalisation(mean=0.5, std=0.5)), scaled)


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

    task = "classification"

    def forward(self, x):
        classes = ((x[:, 0, 0, 0] + 1) / 2 * 255).round().long()
        return 5.0 * F.one_hot(classes, 10).float()


def test_accuracy_loss_and_confusion_against_counting_by_hand():
    pixels = torch.zeros(5, 28, 28, dtype=torch.uint8)
    pixels[:, 0, 0] = torch.tensor([0, 1, 2, 2, 9])  # what is predicted
    labels = torch.tensor([0, 1, 2, 3, 8])
    split, normalisation = Split(pixels, labels), Normalisation(mean=0.5, std=0.5)
    metrics = evaluate(_Fixed(), split, normalisation, batch_size=2)
    right, wrong = np.log(np.exp(5) + 9) - 5, np.log(np.exp(5) + 9)
    assert metrics["accuracy"] == pytest.approx(3 / 5)
    assert metrics["accuracy_batch_mean"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert metrics["loss"] == pytest.approx((3 * right + 2 * wrong) / 5, rel=1e-6)
    expected = (right + (right + wrong) / 2 + wrong) / 3
    assert metrics["loss_batch_mean"] == pytest.approx(expected, rel=1e-6)
    described, confusion = describe_outputs(_Fixed(), split, normalisation)
    losses = torch.tensor([right, right, right, wrong, wrong])
    torch.testing.assert_close(described["image_loss"], losses.float())
    counts = {(0, 0): 1, (1, 1): 1, (2, 2): 1, (3, 2): 1, (8, 9): 1}
    assert {tuple(at.tolist()): int(confusion[tuple(at)]) for at in confusion.nonzero()} == counts


class _Shifted(torch.nn.Module):
    """An autoencoder that is right in all pixels but one, which it makes 1 for every image."""

    task = "reconstruction"

    def forward(self, x):
        x = x.clone()
        x[:, 0, 5, 5] = 1.0
        return x


def test_errors_and_spread_of_every_pixel_against_counting_by_hand():
    pixels = torch.zeros(4, 28, 28, dtype=torch.uint8)
    pixels[2:, 3, 3] = 255
    split = Split(pixels, torch.tensor([0, 1, 2, 3]))
    described, confusion = describe_outputs(_Shifted(), split, Normalisation(mean=0.0, std=1.0))
    assert confusion is None
    assert described["pixel_loss"][5, 5] == 1
    assert described["pixel_loss"].sum() == 1
    assert described["output_std"][3, 3] == pytest.approx(0.5)  # of 0, 0, 1, 1
    assert described["output_std"].sum() == pytest.approx(0.5)
    torch.testing.assert_close(described["image_loss"], torch.full((4,), 1 / 784))


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


ALL_AT_ONCE = {
    "keep": "best",
    "early_stopping": {"patience": 1, "min_delta": 0.0},
    "split": {"train": 40_000, "validation": 20_000},
    "validation_dropout": True,
}


@pytest.mark.parametrize(
    ("row", "spec"),
    [
        ("t4-arch2-linear", {}),
        ("t9-n2_128-sgd-m09", {}),
        ("t4-arch1-nolinear", ALL_AT_ONCE | {"snapshots": [0, 1, 3]}),
        ("t9-base", ALL_AT_ONCE),
    ],
)
def test_killed_training_resumes_to_the_same_bits(images, tmp_path, row, spec):
    class KilledError(Exception):
        pass

    def die_after_the_second_epoch(line):
        if line.startswith("epoch 2/"):
            raise KilledError

    _train(row, images, tmp_path / "whole", spec)
    with pytest.raises(KilledError):
        _train(row, images, tmp_path / "killed", spec, log=die_after_the_second_epoch)
    assert (tmp_path / "killed/checkpoint.safetensors").exists()
    _, lines = _train(row, images, tmp_path / "killed", spec)
    assert lines[0] == "going on after epoch 2"
    for file in ("model.safetensors", "outputs.safetensors"):
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
    metrics, _ = _train("t9-n2_128-sgd", images, tmp_path, {"learning_rate": 1e30}, seed=0)
    assert metrics["status"] == "diverged"
    assert metrics["diverged_at_epoch"] == 1
    assert metrics["best"] == metrics["final"] == metrics["kept"] == metrics["lowest"] == {}
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
    assert metrics["code_sha256"] == code_sha256()
    assert len(metrics["layers"]) == 4
    outputs = load_file(tmp_path / "outputs.safetensors")
    assert outputs["targets"].shape == outputs["outputs"].shape == (10, 28, 28)
    assert outputs["labels"].tolist() == list(range(10))
    assert outputs["image_loss"].mean() == pytest.approx(metrics["final"]["val_loss"], rel=1e-5)
    assert outputs["pixel_loss"].mean() == pytest.approx(metrics["final"]["val_loss"], rel=1e-5)


def test_early_stopping_waits_for_its_patience_and_keeps_the_best_weights(images, tmp_path):
    """On noise the validation loss soon rises: there is nothing to generalise to."""
    spec = {"keep": "best", "early_stopping": {"patience": 3, "min_delta": 0.0}}
    spec |= {"learning_rate": 0.01, "dropout": 0.0}
    metrics, lines = _train("t9-base", images, tmp_path / "stopped", spec, epochs=40)
    losses = [float(line["val_loss"]) for line in _history(tmp_path / "stopped")]
    best = losses.index(min(losses)) + 1
    assert metrics["stopped_early"]
    assert metrics["epochs"] == len(losses) < 40
    assert metrics["kept"]["epoch"] == metrics["lowest"]["epoch"] == best == len(losses) - 3
    assert metrics["kept"]["val_loss"] == min(losses)
    assert metrics["final"] == {**metrics["final"], "epoch": len(losses), "val_loss": losses[-1]}
    assert "stopped: no lower validation loss for 3 epochs" in lines[-1]
    _train("t9-base", images, tmp_path / "short", spec | {"keep": "last"}, epochs=best)
    kept, short = (
        load_file(tmp_path / name / "model.safetensors") for name in ("stopped", "short")
    )
    assert all(np.array_equal(kept[name], short[name]) for name in kept)


def test_a_fall_smaller_than_min_delta_does_not_count():
    history = [{"val_loss": loss} for loss in (1.0, 0.95, 0.91, 0.88)]
    any_fall, real_fall = (EarlyStopping(patience=2, min_delta=fall) for fall in (0.0, 0.1))
    assert not stagnates(history, any_fall)
    assert not stagnates(history, real_fall)  # 0.88 is 0.12 below 1.0
    assert stagnates(history[:3], real_fall)
    assert not stagnates(history, None)


def test_weights_of_a_named_epoch_are_kept(images, tmp_path):
    metrics, _ = _train("t9-base", images, tmp_path / "named", {"keep": 2})
    _train("t9-base", images, tmp_path / "short", epochs=2)
    assert metrics["kept"]["epoch"] == 2
    assert metrics["final"]["epoch"] == 3
    named, short = (load_file(tmp_path / name / "model.safetensors") for name in ("named", "short"))
    assert all(np.array_equal(named[name], short[name]) for name in named)


def test_images_are_held_out_by_the_seed_and_in_proportion(images):
    """Of 300 training images, 50,000 and 10,000 of 60,000 are 250 and 50."""
    numbered = Dataset(
        np.arange(300, dtype=np.uint16).view(np.uint8).reshape(300, 1, 2).copy(),
        images.train_labels,
        images.test_images,
        images.test_labels,
        sha256="made up",
    )
    shares = Shares(train=50_000, validation=10_000)

    def members(seed):
        splits = make_splits(numbered, shares, seed, "cpu")
        assert {name: len(split) for name, split in splits.items()} == {
            "train": 250,
            "val": 50,
            "test": 100,
        }
        return [splits[name].images.numpy().view(np.uint16).ravel() for name in ("train", "val")]

    train_0, held_out_0 = members(0)
    assert sorted([*train_0, *held_out_0]) == list(range(300))
    assert np.array_equal(held_out_0, members(0)[1])
    assert not np.array_equal(held_out_0, members(1)[1])
    whole = make_splits(images, Shares(train=60_000, validation=0), 0, "cpu")
    assert np.array_equal(whole["train"].images, images.train_images)
    assert np.array_equal(whole["val"].images, images.test_images)


def test_snapshots_are_the_examples_after_their_epochs(images, tmp_path):
    spec = {"snapshots": [0, 2, 3, 20]}
    _train("t4-arch1-nolinear", images, tmp_path / "run", spec)
    outputs = load_file(tmp_path / "run/outputs.safetensors")
    assert outputs["snapshot_epochs"].tolist() == [0, 2, 3]
    assert outputs["snapshots"].shape == (3, 10, 28, 28)
    assert np.array_equal(outputs["snapshots"][2], outputs["outputs"])
    _train("t4-arch1-nolinear", images, tmp_path / "short", epochs=2)
    short = load_file(tmp_path / "short/outputs.safetensors")
    assert np.array_equal(outputs["snapshots"][1], short["outputs"])


def test_dropout_worsens_the_measured_error_and_changes_no_training(images, tmp_path):
    metrics, _ = _train("t4-arch2-linear", images, tmp_path / "with", {"validation_dropout": True})
    plain, _ = _train("t4-arch2-linear", images, tmp_path / "without")
    assert metrics["final"]["val_dropout_loss"] != metrics["final"]["val_loss"]
    with_dropout, without = metrics["final"], plain["final"]
    assert {key: with_dropout[key] for key in without} == without


def test_adam_takes_the_epsilon_of_its_row(images, tmp_path):
    _train("t9-base", images, tmp_path / "usual", epochs=1)
    _train("t9-base", images, tmp_path / "large", {"epsilon": 0.1}, epochs=1)
    usual, large = (load_file(tmp_path / name / "model.safetensors") for name in ("usual", "large"))
    assert not np.array_equal(usual["head.1.0.weight"], large["head.1.0.weight"])


def test_training_does_not_wait_for_torchs_compiler(tmp_path):
    """Its import would be half the time of a short job."""
    script = f"""
import sys
sys.path.insert(0, {str(Path(loop.__file__).parents[2])!r})
from pathlib import Path
import numpy as np
from refashion.paper import papers
from refashion.training.dataset import Dataset
from refashion.training.job import Job
from refashion.training.loop import train
pixels, labels = np.zeros((20, 28, 28), np.uint8), np.arange(20, dtype=np.uint8) % 10
data = Dataset(pixels, labels, pixels, labels, sha256="made up")
row = papers.load_paper({PAPER.file!r}).row("t9-base")
train(Job(row, data, 0, epochs=2), Path({str(tmp_path)!r}), log=lambda line: None)
assert not [name for name in sys.modules if name.startswith(("torch._dynamo", "torch._inductor"))]
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_exported_encoder_starts_a_classifier_and_stays_as_it_was(images, tmp_path):
    donor = PAPER.row("t4-arch2-nolinear")
    _train("t4-arch2-nolinear", images, tmp_path / "donor")
    exported = tmp_path / "encoder.safetensors"
    export_encoder(donor, tmp_path / "donor/model.safetensors", exported)
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
    export_encoder(PAPER.row("t4-arch1-nolinear"), model, exported)
    with pytest.raises(UserError, match=r"encoder\.safetensors: not an encoder for"):
        _train("t8-pretrained", images, tmp_path / "classifier", encoder=exported)


def _stock_validation_loss(row, data, seed):
    """The loop of a notebook over torch's own layers: Adam, shuffled batches, dropout by torch."""
    torch.manual_seed(seed)
    model = stock_layers(row.network)
    optimizer = torch.optim.Adam(model.parameters(), lr=row.spec.learning_rate)
    images, labels = (
        torch.from_numpy(a) for a in (data.train_images, data.train_labels.astype("int64"))
    )
    for _ in range(2):
        model.train()
        for batch in torch.randperm(len(images)).split(row.spec.batch_size):
            optimizer.zero_grad()
            outputs = model(normalise(images[batch], row.spec.normalisation))
            F.cross_entropy(outputs, labels[batch]).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        tests = normalise(torch.from_numpy(data.test_images), row.spec.normalisation)
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
