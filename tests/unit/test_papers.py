"""Papers and configuration: what loads, what it says, and how it says what is wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
import synthetic
import yaml
from jsonschema import Draft202012Validator
from refashion.errors import UserError
from refashion.paper import papers, schema
from refashion.paper.config import Config, validate_config
from refashion.paper.images import CLASS_NAMES
from refashion.paper.spec import Encoder, Normalisation

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
ROOT = Path(__file__).parents[2]
FILE = ROOT / "workflow/papers/caprari2025.yaml"

# Tables IV, V, VI, VIII and IX as printed, line by line.
PRINTED = {
    "table-4": """
        0.5925 0.5913
        0.6102 0.6088
        0.5903 0.5876
        0.5756 0.5726
        0.6816 0.6789
        0.5852 0.5822
    """,
    "table-5": """
        0.5756 0.5726
        0.6629 0.6598
        0.5866 0.5828
        0.5884 0.5851
        0.5943 0.5924
    """,
    "table-6": """
        0.5925 0.5913
        0.5870 0.5848
        0.6037 0.6016
    """,
    "table-8": """
        91.98 0.2329 89.30 0.2981
        97.15 0.0878 91.99 0.2199
    """,
    "table-9": """
        91.99 0.2199
        92.53 0.2164
        91.92 0.2213
        91.48 0.2411
        88.61 0.3334
    """,
}

# The settings beside them: architecture and latent size, or n1 and n2, or none; optimiser, learning
# rate, batch size and dropout where the table varies them.
SETTINGS = {
    "table-4": [(1, 256), (1, None), (2, 256), (2, None), (3, 256), (3, None)],
    "table-5": [
        ("adam", 1e-3, 128, 0.2),
        ("sgd", 1e-3, 128, 0.2),
        ("adam", 1e-3, 128, 0.4),
        ("adam", 1e-4, 256, 0.2),
        ("adam", 1e-4, 256, 0.4),
    ],
    "table-6": [(2, 784), (2, 256), (2, 32)],
    "table-8": [(128, 64, "adam", 1e-3, 128, 0.2)] * 2,
    "table-9": [
        (128, 64, "adam", 1e-3, 128, 0.2),
        (128, 64, "adam", 1e-3, 256, 0.2),
        (128, 64, "adam", 1e-3, 512, 0.2),
        (128, 64, "adam", 1e-4, 128, 0.4),
        (128, 128, "sgd", 1e-3, 128, 0.2),
    ],
}


@pytest.fixture(scope="module")
def paper() -> papers.Paper:
    return papers.load_paper(FILE)


@pytest.fixture(scope="module")
def written() -> dict:
    return yaml.load(FILE.read_text(encoding="utf-8"), Loader)


@pytest.fixture
def load_changed(written, tmp_path) -> Callable:
    """Load the paper after a change to its data, under its own file name."""

    def load(change: Callable[[dict], object]) -> papers.Paper:
        # What other papers have may be asked for in a change.
        architectures = synthetic.ARCHITECTURES | written["architectures"]
        data = deepcopy(written | {"architectures": architectures})
        change(data)
        file = tmp_path / "caprari2025.yaml"
        file.write_text(yaml.dump(data, Dumper=Dumper, allow_unicode=True), encoding="utf-8")
        return papers.load_paper(file)

    return load


@pytest.fixture
def problems(load_changed) -> Callable:
    """The lines of the message after a change, each without the file's name, which it must have."""

    def lines(change: Callable[[dict], object]) -> list[str]:
        with pytest.raises(UserError) as caught:
            load_changed(change)
        found = str(caught.value).splitlines()
        assert all(re.match(r".*/caprari2025\.yaml(:\d+)?: ", line) for line in found), found
        return [line.partition(": ")[2] for line in found]

    return lines


@pytest.fixture
def config() -> dict:
    return yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))


def index_of(data: dict, row: str) -> int:
    return [entry["id"] for entry in data["rows"]].index(row)


AUTOENCODER = ("architectures", "caprari2025_autoencoder1")
CLASSIFIER = ("architectures", "caprari2025_classifier")


# ---- what the paper's file holds ----------------------------------------------------------------


def test_eighteen_trainings_and_one_variant_of_ours_stand_behind_21_printed_lines(paper):
    assert len([row for row in paper.rows if row.variant_of is None]) == 18
    assert [row.id for row in paper.rows if row.variant_of] == ["t9-n2_128-sgd-m09"]
    lines = [line for table in paper.tables for line in table.lines]
    assert len(lines) == 21
    trained = {paper.row(line.row).id for line in lines}
    assert trained == {row.id for row in paper.rows if row.variant_of is None}


@pytest.mark.parametrize("table_id", PRINTED)
def test_every_published_number_is_the_printed_one(paper, table_id):
    table = next(table for table in paper.tables if table.id == table_id)
    digits = {key: metric.digits for key, metric in table.metrics.items()}
    assert digits == {key: 2 if "accuracy" in key else 4 for key in digits}
    printed = [
        " ".join(f"{line.published[key]:.{digits[key]}f}" for key in table.metrics)
        for line in table.lines
    ]
    assert printed == [line.strip() for line in PRINTED[table_id].strip().splitlines()]


@pytest.mark.parametrize("table_id", SETTINGS)
def test_every_line_has_the_printed_settings(paper, table_id):
    table = next(table for table in paper.tables if table.id == table_id)
    assert len(table.lines) == len(SETTINGS[table_id])
    base = ("adam", 0.001, 128, 0.2)
    for line, printed in zip(table.lines, SETTINGS[table_id], strict=True):
        spec = paper.row(line.row).spec
        training = ("optimizer", "learning_rate", "batch_size", "dropout")
        found = tuple(getattr(spec, key) for key in training)
        sizes = tuple(spec.parameters.values())
        assert found == (printed[-4:] if len(printed) >= 4 else base)
        if table_id in ("table-4", "table-6"):
            depth, latent = printed
            assert (spec.architecture, sizes) == (f"caprari2025_autoencoder{depth}", (latent,))
        elif table_id == "table-5":
            assert (spec.architecture, sizes) == ("caprari2025_autoencoder2", (None,))
        else:
            assert (spec.architecture, sizes) == ("caprari2025_classifier", printed[:2])


def test_every_row_is_trained_for_30_epochs_on_data_between_minus_one_and_one(paper):
    assert {row.spec.epochs for row in paper.rows} == {30}
    assert all(row.spec.normalisation == Normalisation(mean=0.5, std=0.5) for row in paper.rows)


def test_what_two_tables_print_is_trained_once_and_answers_to_both_names(paper):
    pairs = {
        "t5-base": "t4-arch2-nolinear",
        "t9-base": "t8-scratch",
        "t6-n256": "t4-arch2-linear",
    }
    assert {alias: row.id for row in paper.rows for alias in row.aliases} == pairs
    for alias, row in pairs.items():
        assert paper.row(alias) is paper.row(row)
    assert paper.row("t5-base").name == "caprari2025_t4_arch2_nolinear"
    assert paper.row("t5-base").alias_names == ("caprari2025_t5_base",)


def test_the_pretrained_classifier_freezes_the_encoder_of_the_base_autoencoder(paper):
    assert paper.row("t8-pretrained").encoder == Encoder(row="t4-arch2-nolinear", frozen=True)
    assert [row.id for row in paper.rows if row.encoder] == ["t8-pretrained"]


def test_momentum_is_that_of_sgd_alone(paper):
    momenta = {row.id: row.spec.as_json()["momentum"] for row in paper.rows}
    sgd = {"t5-sgd": 0.0, "t9-n2_128-sgd": 0.0, "t9-n2_128-sgd-m09": 0.9}
    assert {row: value for row, value in momenta.items() if value is not None} == sgd


def test_a_spec_is_complete_sorted_and_plain(paper):
    for row in paper.rows:
        plain = row.spec.as_json()
        assert sorted(plain) == list(plain)
        assert set(plain) == {"architecture", "parameters", "dropout", "optimizer"} | {
            *("learning_rate", "momentum", "batch_size", "epochs", "normalisation", "encoder"),
            *("epsilon", "early_stopping", "keep", "split", "validation_dropout", "snapshots"),
        }
    assert paper.row("t5-sgd").spec.as_json() == {
        "architecture": "caprari2025_autoencoder2",
        "batch_size": 128,
        "dropout": 0.2,
        "early_stopping": None,
        "encoder": None,
        "epochs": 30,
        "epsilon": None,
        "keep": "last",
        "learning_rate": 0.001,
        "momentum": 0.0,
        "normalisation": {"mean": 0.5, "std": 0.5},
        "optimizer": "sgd",
        "parameters": {"latent": None},
        "snapshots": [],
        "split": {"train": 60000, "validation": 0},
        "validation_dropout": False,
    }


def test_a_row_builds_the_network_its_spec_names(paper):
    row = paper.row("t5-p04")
    assert row.network == synthetic.network("caprari2025_autoencoder2", latent=None, dropout=0.4)
    assert row.task == "reconstruction"
    assert paper.row("t9-b256").task == "classification"


def test_all_claims_and_figures_are_there(paper):
    assert [claim.id for claim in paper.claims] == [f"cap-P{n:02}" for n in range(1, 24)]
    ids = ["figure-1", "figure-2a", "figure-2b", "figure-3", "reconstructions"]
    assert [figure.id for figure in paper.figures] == ids
    assert [a.id for a in paper.assumptions] == [
        f"A{n}" for n in range(1, len(paper.assumptions) + 1)
    ]


# ---- what the hash of a spec stands for ---------------------------------------------------------


def test_names_notes_and_published_numbers_do_not_touch_the_hash(paper, load_changed):
    def change(data):
        for entry in data["rows"]:
            entry["note"] = "another"
        data["rows"][index_of(data, "t8-scratch")]["aliases"] = ["t9-other"]
        data["tables"].clear()
        donor = data["rows"][index_of(data, "t4-arch2-nolinear")]
        donor["id"] = "renamed"
        data["rows"][index_of(data, "t8-pretrained")]["encoder"]["row"] = "renamed"
        for section in ("figures", "claims", "studies"):
            data[section].clear()

    changed = load_changed(change)
    assert [row.spec_sha256 for row in changed.rows] == [row.spec_sha256 for row in paper.rows]


def test_a_setting_changes_the_hash_of_its_row_and_of_the_row_that_reuses_its_encoder(
    paper, load_changed
):
    def change(data):
        data["rows"][index_of(data, "t4-arch2-nolinear")]["epochs"] = 31

    changed = load_changed(change)
    differ = [
        row.id
        for row, before in zip(changed.rows, paper.rows, strict=True)
        if row.spec_sha256 != before.spec_sha256
    ]
    assert differ == ["t4-arch2-nolinear", "t8-pretrained"]


def test_a_fingerprint_is_that_of_the_parts_it_is_asked_for(paper, load_changed):
    def correct(data):
        data["tables"][0]["lines"][0]["published"]["val_error"] = 0.5

    def note(data):
        data["rows"][0]["note"] = "seen twice"

    parts = ("names", "trained", "tested", "tables")
    before = [paper.fingerprint(part) for part in parts]
    as_it_was = load_changed(lambda data: None)
    corrected, noted = load_changed(correct), load_changed(note)
    assert [as_it_was.fingerprint(part) for part in parts] == before
    assert [corrected.fingerprint(part) for part in parts[:-1]] == before[:-1]
    assert corrected.fingerprint("tables") != before[-1]
    assert [noted.fingerprint(part) for part in parts] == before
    assert len({known.fingerprint() for known in (as_it_was, corrected, noted)}) == 3


def test_the_same_number_written_otherwise_gives_the_same_hash(paper, load_changed):
    def change(data):
        data["defaults"]["momentum"] = 0
        data["rows"][index_of(data, "t8-pretrained")]["encoder"]["row"] = "t5-base"

    changed = load_changed(change)
    assert [row.spec_sha256 for row in changed.rows] == [row.spec_sha256 for row in paper.rows]
    assert changed.row("t8-pretrained").encoder.row == "t4-arch2-nolinear"


def test_every_row_has_a_hash_of_its_own(paper):
    assert len({row.spec_sha256 for row in paper.rows}) == len(paper.rows)


# ---- what is refused, and how it is said --------------------------------------------------------


def put(*keys, value) -> Callable[[dict], None]:
    """A change that writes ``value`` at ``keys``."""

    def change(data: dict) -> None:
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = value

    return change


def drop(*keys) -> Callable[[dict], None]:
    def change(data: dict) -> None:
        for key in keys[:-1]:
            data = data[key]
        del data[keys[-1]]

    return change


def append(section: str, like: int, **changes) -> Callable[[dict], None]:
    """A change that adds a copy of an entry with some keys changed."""
    return lambda data: data[section].append(data[section][like] | changes)


def change_row(index: int, **settings) -> Callable[[dict], None]:
    return lambda data: data["rows"][index].update(settings)


def matrix(row: str, count: int = 100) -> dict:
    return {"row": row, "label": "Figure 3", "published": [[count] * 10] * 10}


def claim(*parts: dict, **keys) -> Callable[[dict], None]:
    """A change that tests the first claim by these parts."""
    named = {"id": "cap-P01", "place": "III", "text": "It is so.", "test": list(parts)}
    return put("claims", 0, value=named | keys)


LOWEST = {"metric": "val_loss", "at": "best"}
BEST = {"form": "best", "row": "t5-base", "among": ["t5-sgd"]} | LOWEST
BELOW = {"form": "below", "rows": ["t5-base"], "level": 0} | LOWEST
WITHIN = {"form": "below", "rows": ["t9-b256"], "metric": "errors_within", "level": 0.5}
CLASSES = {"form": "worst_recalled", "rows": ["t9-b256"], "classes": ["Shirt"]}
CONFUSIONS = {
    "form": "largest_confusions",
    "rows": ["t9-b256"],
    "sets": [["Shirt", "Coat"], ["Shirt", "Coat", "Dress"]],  # three pairs, one of them in both
    "count": 2,
}


# Rows by index: 4 t4-arch3-linear, 5 t4-arch3-nolinear, 6 t5-sgd, 12 t8-pretrained, 13 t8-scratch,
# 17 t9-n2_128-sgd, 18 its variant.
REFUSED = [
    # (change, key, value and what is allowed)
    (put("rows", 3, "dropout", value=1.2), "rows[3].dropout", "1.2 is not in [0, 1)"),
    (put("rows", 3, "dropout", value=-0.1), "rows[3].dropout", "-0.1 is not in [0, 1)"),
    (
        put("rows", 3, "dropout", value="lots"),
        "rows[3].dropout",
        "'lots' is not a number in [0, 1)",
    ),
    (put("rows", 3, "dropout", value=float("nan")), "rows[3].dropout", "nan is not a number in"),
    (put("rows", 3, "dropout", value=True), "rows[3].dropout", "true is not a number in [0, 1)"),
    (put("rows", 6, "momentum", value=1), "rows[6].momentum", "1 is not in [0, 1)"),
    (put("rows", 3, "learning_rate", value=0), "rows[3].learning_rate", "0 is not in (0, ∞)"),
    (put("rows", 3, "batch_size", value=0), "rows[3].batch_size", "0 is not in [1, 60000]"),
    (
        put("rows", 3, "batch_size", value=70_000),
        "rows[3].batch_size",
        "70000 is not in [1, 60000]",
    ),
    (
        put("rows", 3, "epochs", value=30.0),
        "rows[3].epochs",
        "30.0 is not a whole number in [1, 10000]",
    ),
    (put("rows", 3, "optimizer", value="rmsprop"), "rows[3].optimizer", "one of adam, sgd"),
    (
        put("rows", 3, "droput", value=0.1),
        "rows[3].droput",
        "did you mean 'dropout'? allowed: dropout",
    ),
    (put("rows", 3, "id", value="Base"), "rows[3].id", "'Base' is not lower-case letters, digits"),
    (put("rows", 3, "aliases", value=[]), "rows[3].aliases", "at least one entry"),
    (put("rows", 3, "aliases", value=["a", "a"]), "rows[3].aliases", "'a' stands twice"),
    (drop("rows", 3, "architecture"), "rows[3].architecture", "is missing; needed here: id, arch"),
    (put("rows", 3, value=7), "rows[3]", "7 is not a mapping"),
    (put("rows", 12, "encoder", value="t5-base"), "rows[12].encoder", "is not a mapping of keys"),
    (claim(BEST | {"metric": [7]}), "claims[0].test[0].metric[0]", "7 is not the name of a metric"),
    (claim(BELOW | {"level": {"a": 1}}), "claims[0].test[0].level", "is not a number, zero or"),
    (put("rows", value={}), "rows", "{} is not a list"),
    (put("rows", value=[]), "rows", "[] is empty; at least one"),
    (put("momentum", value=0.9), "momentum", "'momentum' is no key here"),
    (drop("defaults", "epochs"), "defaults.epochs", "is missing; needed here: dropout"),
    (
        put("defaults", "normalisation", "std", value=0),
        "defaults.normalisation.std",
        "not in (0, ∞)",
    ),
    (put("defaults", "dropout", value="x"), "defaults.dropout", "'x' is not a number in [0, 1)"),
    (put("key", value="caprari"), "key", "'caprari' is not the file's name, 'caprari2025'"),
    (put("key", value="Caprari-2025"), "key", "'Caprari-2025' is not the name of the file"),
    (put("citation", "url", value="example"), "citation.url", "starts with https://"),
    (
        put("tables", 0, "metrics", "val_error", "unit", value="%"),
        "tables[0].metrics.val_error.unit",
        "'%' is not one of loss, percent",
    ),
    (put("assumptions", 0, "evidence", value="guess"), "assumptions[0].evidence", "one of stated"),
    (put("claims", 0, "text", value=" "), "claims[0].text", "' ' is not some text"),
    (put("claims", 0, "id", value="P1"), "claims[0].id", "'P1' is not lower-case letters, -P and"),
    # rows
    (
        put("rows", 3, "architecture", value="caprari2025_autoencoder4"),
        "rows[3].architecture",
        "'caprari2025_autoencoder4' is no architecture of this file; did you mean 'capr",
    ),
    # architectures
    (
        put(*AUTOENCODER, "encoder", 0, "layer", value="convv"),
        f"{'.'.join(AUTOENCODER)}.encoder[0].layer",
        "'convv' is no layer; did you mean 'conv'? allowed: conv, conv_transpose, max_pool,",
    ),
    (
        put(*AUTOENCODER, "encoder", 0, "kernal", value=3),
        f"{'.'.join(AUTOENCODER)}.encoder[0].kernal",
        "'kernal' is no key here; did you mean 'kernel'? allowed: when, unless, gives, layer, chan",
    ),
    (
        put(*AUTOENCODER, "encoder", 0, "dropout", value=1.5),
        f"{'.'.join(AUTOENCODER)}.encoder[0].dropout",
        "1.5 is not a rate in [0, 1), or p",
    ),
    (
        put(*AUTOENCODER, "encoder", 3, "features", value="latnet"),
        f"{'.'.join(AUTOENCODER)}.encoder[3].features",
        "'latnet' is no number here; did you mean 'latent'? allowed: latent",
    ),
    (
        put(*AUTOENCODER, "encoder", 3, "dropout", value="latent"),
        f"{'.'.join(AUTOENCODER)}.encoder[3].dropout",
        "'latent' is no number here; allowed: p",
    ),
    (
        put(*AUTOENCODER, "head", 1, "when", value={"second_linear": "naked"}),
        f"{'.'.join(AUTOENCODER)}.head[1].when.second_linear",
        "'naked' is no choice here; allowed: as_first, bare",
    ),
    (
        put(*AUTOENCODER, "head", 1, "unless", value={"n3": 2}),
        f"{'.'.join(AUTOENCODER)}.head[1].unless.n3",
        "'n3' is no parameter of this architecture; allowed: latent, second_linear",
    ),
    (
        put(*AUTOENCODER, "parameters", "n3", value="size"),
        f"{'.'.join(AUTOENCODER)}.parameters.n3",
        "does nothing; allowed: one that a layer names",
    ),
    (
        put(*AUTOENCODER, "parameters", "latent", value="sizes"),
        f"{'.'.join(AUTOENCODER)}.parameters.latent",
        "'sizes' is not size, size or null, or {one_of: [words], default: one of them",
    ),
    (
        put("rows", 3, "parameters", value={"latents": 3, "latent": 3}),
        "rows[3].parameters.latents",
        "'latents' is no parameter of caprari2025_autoencoder2; did you mean 'latent'?",
    ),
    (
        put("rows", 3, "parameters", value={}),
        "rows[3].parameters.latent",
        "is missing; caprari2025_autoencoder2 takes latent",
    ),
    (
        put("rows", 3, "parameters", "latent", value=0),
        "rows[3].parameters.latent",
        "0 is not in [1,",
    ),
    (
        put("rows", 3, "parameters", "latent", value="big"),
        "rows[3].parameters.latent",
        "'big' is not a whole number in [1, ∞) or null",
    ),
    (
        put("rows", 13, "parameters", "n1", value=None),
        "rows[13].parameters.n1",
        "null is not a whole number in [1, ∞)",
    ),
    (
        put("rows", 3, "momentum", value=0.9),
        "rows[3].momentum",
        "0.9 does nothing with adam; allowed with optimizer: sgd",
    ),
    (put("rows", 3, "id", value="t5-sgd"), "rows[6].id", "'t5-sgd' is taken by rows[3].id"),
    (
        put("rows", 6, "id", value="t9_b256"),
        "rows[14].id",
        "'t9-b256' is taken by rows[6].id 't9_b256': both give one target",
    ),
    (
        put("rows", 6, "aliases", value=["t5-base"]),
        "rows[6].aliases[0]",
        "'t5-base' is taken by rows[3].aliases[0]",
    ),
    (
        append("rows", 5, id="again"),
        "rows[19]",
        "'again' has the settings of rows[5] 't4-arch3-nolinear': one training; allowed: make it",
    ),
    (
        put("rows", 18, "momentum", value=0.0),
        "rows[18]",
        "'t9-n2_128-sgd-m09' has the settings of rows[17] 't9-n2_128-sgd'",
    ),
    # encoders and variants
    (
        put("rows", 12, "encoder", "row", value="t4-arch2-nolinea"),
        "rows[12].encoder.row",
        "'t4-arch2-nolinea' is no row of this paper; did you mean 't4-arch2-nolinear'? allowed: t4",
    ),
    (
        put("rows", 12, "encoder", "row", value="t8-scratch"),
        "rows[12].encoder.row",
        "'t8-scratch' is a classification; allowed is a reconstruction: t4-arch1-linear,",
    ),
    (
        put("rows", 12, "encoder", "row", value="t8-pretrained"),
        "rows[12].encoder.row",
        "'t8-pretrained' is a classification; allowed is a reconstruction",
    ),
    (
        put("rows", 12, "encoder", "row", value="t4-arch1-nolinear"),
        "rows[12].encoder.row",
        "the encoder of 't4-arch1-nolinear' gives a code of shape (16, 14, 14), "
        "caprari2025_classifier needs its own layers with a code of shape (32, 7, 7)",
    ),
    (
        put("rows", 12, "encoder", "row", value="t4-arch2-linear"),
        "rows[12].encoder.row",
        "code of shape (256,), caprari2025_classifier needs its own layers with a code of shape",
    ),
    (
        put("rows", 5, "encoder", value={"row": "t5-sgd", "frozen": True}),
        "rows[5].encoder",
        "on a reconstruction; allowed: on a classification",
    ),
    (drop("rows", 12, "encoder", "frozen"), "rows[12].encoder.frozen", "is missing; needed here"),
    (
        put("rows", 18, "variant_of", value="t9-n2_128-sdg"),
        "rows[18].variant_of",
        "'t9-n2_128-sdg' is no row of this paper; did you mean 't9-n2_128-sgd",
    ),
    (
        put("rows", 17, "variant_of", value="t9-n2_128-sgd-m09"),
        "rows[17].variant_of",
        "'t9-n2_128-sgd-m09' is itself a variant; allowed: a row of the paper",
    ),
    (
        put("rows", 18, "variant_of", value="t5-sgd"),
        "rows[18].variant_of",
        "'t5-sgd' is a reconstruction; allowed: a classification",
    ),
    # settings of a training
    (
        put("rows", 3, "early_stopping", value={"patience": 0, "min_delta": 0}),
        "rows[3].early_stopping.patience",
        "0 is not in [1, ∞)",
    ),
    (
        put("rows", 3, "early_stopping", value={"patience": 5}),
        "rows[3].early_stopping.min_delta",
        "is missing; needed here: patience, min_delta",
    ),
    (
        put("rows", 3, "early_stopping", value=5),
        "rows[3].early_stopping",
        "5 is not null or {patience, min_delta}",
    ),
    (put("rows", 3, "keep", value="first"), "rows[3].keep", "'first' is not last, best or the num"),
    (put("rows", 3, "keep", value=31), "rows[3].keep", "31 is not in [1, 30], the row's epochs"),
    (
        put("rows", 3, "split", value={"train": 50_000, "validation": 10_001}),
        "rows[3].split",
        "are more than 60,000 images",
    ),
    (put("rows", 6, "epsilon", value=1e-7), "rows[6].epsilon", "1e-07 does nothing with sgd; allo"),
    (put("rows", 3, "epsilon", value=0), "rows[3].epsilon", "0 is not in (0, ∞)"),
    (
        put("rows", 3, "snapshots", value=[0, 31]),
        "rows[3].snapshots",
        "[31] are not in [0, 30], the row's epochs",
    ),
    (
        put("rows", 13, "snapshots", value=[0]),
        "rows[13].snapshots",
        "on a classification; allowed: on a reconstruction",
    ),
    (
        change_row(3, dropout=0, validation_dropout=True),
        "rows[3].validation_dropout",
        "true does nothing with dropout 0",
    ),
    (
        change_row(3, architecture="borgnino2023_autoencoder", parameters={"hidden": 64}),
        "rows[3].dropout",
        "0.2 does nothing in borgnino2023_autoencoder; allowed: 0",
    ),
    (
        change_row(
            3,
            architecture="palacio2025_autoencoder",
            parameters={"latent": 64, "output": "tanh"},
        ),
        "rows[3].parameters.output",
        "'tanh' is no choice here; allowed: sigmoid, relu",
    ),
    (
        put("rows", 12, "encoder", "row", value="palacio2025/ae-base"),
        "rows[12].encoder.row",
        "'palacio2025/ae-base' is not a row of this paper: ",
    ),
    # confusion matrices
    (
        put("confusion_matrices", value=[{"row": "t9-b256", "label": "F", "published": [[1]]}]),
        "confusion_matrices[0].published",
        "[[1]] is not a list of 10 lists of 10 counts",
    ),
    (
        put("confusion_matrices", value=[matrix("t5-sgd")]),
        "confusion_matrices[0].row",
        "'t5-sgd' is a reconstruction; allowed: a classification",
    ),
    (
        put("confusion_matrices", value=[matrix("t9-b265")]),
        "confusion_matrices[0].row",
        "'t9-b265' is no row of this paper; did you mean 't9-b256'?",
    ),
    (
        put("confusion_matrices", value=[matrix("t9-base"), matrix("t8-scratch")]),
        "confusion_matrices[1].row",
        "'t8-scratch' is the row of confusion_matrices[0] too",
    ),
    (
        put("confusion_matrices", value=[matrix("t9-base", count=-1)]),
        "confusion_matrices[0].published[0][0]",
        "-1 is not in [0, ∞)",
    ),
    # tables
    (
        put("tables", 0, "lines", 2, "row", value="t4-arch4"),
        "tables[0].lines[2].row",
        "'t4-arch4' is no row of this paper; did you mean 't4-arch",
    ),
    (
        put("tables", 1, "lines", 1, "row", value="t4-arch2-nolinear"),
        "tables[1].lines[1].row",
        "'t4-arch2-nolinear' is the row of lines[0] too; allowed: once a table",
    ),
    (
        put("tables", 0, "lines", 2, "published", "accuracy", value=0.9),
        "tables[0].lines[2].published.accuracy",
        "'accuracy' is no metric of this table; allowed: train_error, val_error",
    ),
    (
        put("tables", 0, "lines", 2, "published", "val_error", value=0.58765),
        "tables[0].lines[2].published.val_error",
        "0.58765 has more than 4 decimals",
    ),
    (
        put("tables", 4, "lines", 2, "published", "val_accuracy", value=191.92),
        "tables[4].lines[2].published.val_accuracy",
        "191.92 is not in [0, 100]",
    ),
    (
        put("tables", 4, "lines", 2, "row", value="t5-sgd"),
        "tables[4].lines[2].row",
        "'t5-sgd' is a reconstruction and has no val_accuracy_batch_mean; allowed: a",
    ),
    (
        put("tables", 4, "metrics", "val_accuracy", "unit", value="loss"),
        "tables[4].metrics.val_accuracy.unit",
        "'loss' does not fit val_accuracy_batch_mean; allowed: percent",
    ),
    (
        put("tables", 4, "settings", 0, value="n3"),
        "tables[4].settings[0]",
        "'n3' is no setting of these rows; allowed: architecture, batch_size, dropout, early_",
    ),
    # figures
    (
        put("figures", 0, "rows", value=["t5-bse"]),
        "figures[0].rows[0]",
        "'t5-bse' is no row of this paper; did you mean 't5-base'?",
    ),
    (
        put("figures", 3, "rows", value=["t5-sgd"]),
        "figures[3].rows[0]",
        "'t5-sgd' is a reconstruction; allowed for confusion: a classification",
    ),
    (
        put("figures", 0, "metric", value="accuracy"),
        "figures[0].rows[0]",
        "'t5-base' is a reconstruction; allowed for accuracy curves: a classification",
    ),
    (
        put("figures", 4, "rows", value=["t9-b256"]),
        "figures[4].rows[0]",
        "'t9-b256' is a classification; allowed for reconstructions: a reconstruction",
    ),
    (drop("figures", 0, "metric"), "figures[0].metric", "is missing; curves need one of loss, acc"),
    (
        put("figures", 3, "metric", value="loss"),
        "figures[3].metric",
        "'loss' on confusion; allowed",
    ),
    (
        put("figures", 3, "series", value=["val"]),
        "figures[3].series",
        "['val'] on confusion; allowed: on curves, bars",
    ),
    (
        put("figures", 0, "normalised", value=True),
        "figures[0].normalised",
        "true on curves; allowed: on confusion",
    ),
    (
        put("figures", 0, "series", value=["test"]),
        "figures[0].rows[0]",
        "'t5-base' has no test: its test images are its validation set; allowed: a row with split",
    ),
    (
        put("figures", 0, "series", value=["val_dropout"]),
        "figures[0].rows[0]",
        "'t5-base' has no val_dropout; allowed: a row with validation_dropout: true",
    ),
    (
        put("figures", 4, "kind", value="snapshots"),
        "figures[4].rows[0]",
        "'t4-arch1-linear' has none; allowed: a row with snapshots",
    ),
    (
        put("figures", 3, "kind", value="confusion_difference"),
        "figures[3].rows[0]",
        "'t9-b256' has no published matrix; allowed: a row of confusion_matrices",
    ),
    (
        put("tables", 0, "metrics", "train_error", "metric", value="test_loss"),
        "tables[0].lines[0].row",
        "'t4-arch1-linear' has no test_loss: its test images are its validation set",
    ),
    (
        put("tables", 0, "metrics", "val_error", "metric", value="epoch"),
        "tables[0].metrics.val_error.unit",
        "'loss' does not fit epoch; allowed: epochs",
    ),
    # claims
    (
        claim(BEST | {"form": "bset"}),
        "claims[0].test[0].form",
        "'bset' is no form; did you mean 'best'? allowed: best, worst, ranked",
    ),
    (claim({"row": "t5-base"}), "claims[0].test[0].form", "is missing; needed here: form"),
    (claim("best"), "claims[0].test[0]", "'best' is not a mapping of keys to values"),
    (
        claim(BEST | {"rwo": "m"}),
        "claims[0].test[0].rwo",
        "'rwo' is no key here; did you mean 'row",
    ),
    (
        claim(BEST | {"metric": "loss"}),
        "claims[0].test[0].metric",
        "'loss' is not the name of a metric",
    ),
    (claim(BEST | {"at": "end"}), "claims[0].test[0].at", "'end' is not best, final, kept, lowest"),
    (
        claim(CLASSES | {"classes": ["Shirts"]}),
        "claims[0].test[0].classes[0]",
        "'Shirts' is not one of T-shirt/top",
    ),
    (claim(), "claims[0].test", "[] is empty"),
    (
        claim({"form": "best"}),
        "claims[0].test[0].row",
        "is missing; needed here: form, row, among, metric",
    ),
    (
        claim(BEST | {"level": 0}),
        "claims[0].test[0].level",
        "'level' is no key here; allowed: form, not, row, among, metric, at, minus",
    ),
    (
        claim(BEST | {"class": "Bag"}),
        "claims[0].test[0].class",
        "'Bag' does nothing beside val_loss; allowed: at, minus, since, relative",
    ),
    (
        claim(BEST | {"metric": "recall"}),
        "claims[0].test[0].class",
        "is missing; needed here: form, row, among, metric, class",
    ),
    (
        claim(BEST | {"row": "t5-bas"}),
        "claims[0].test[0].row",
        "'t5-bas' is no row of this paper; did you mean 't5-base'?",
    ),
    (
        claim(BEST | {"among": ["t5-sgd", "t4-arch2-nolinear"]}),
        "claims[0].test[0].among[1]",
        "'t4-arch2-nolinear' stands twice, or under another name; allowed: once",
    ),
    (
        claim(BEST | {"among": ["t9-b256"]}),
        "claims[0].test[0].among[0]",
        "'t9-b256' is a classification; allowed: rows of one task",
    ),
    (
        claim(BEST | {"metric": "val_accuracy"}),
        "claims[0].test[0].row",
        "'t5-base' is a reconstruction and has no val_accuracy",
    ),
    (
        claim(BEST | {"minus": "test_loss"}),
        "claims[0].test[0].row",
        "'t5-base' has no test_loss: its test images are its validation set",
    ),
    (
        claim(BEST | {"minus": "val_accuracy"}),
        "claims[0].test[0].minus",
        "'val_accuracy' is no loss; allowed: one, as val_loss",
    ),
    (
        claim(BEST | {"metric": "epoch", "at": "final"}),
        "claims[0].test[0].metric",
        "epoch knows no better and worse",
    ),
    (
        claim(BELOW | {"metric": "epoch"}),
        "claims[0].test[0].at",
        "best is not for epochs; allowed: final, kept, lowest",
    ),
    (
        claim(BELOW | {"at": 31}),
        "claims[0].test[0].rows[0]",
        "'t5-base' has no val_loss of epoch 31; allowed: 1 to 30",
    ),
    (
        claim(
            {"form": "below", "rows": ["t5-base"], "metric": "snapshot_loss", "at": 0, "level": 0}
        ),
        "claims[0].test[0].rows[0]",
        "'t5-base' has no snapshot_loss of epoch 0; allowed: []",
    ),
    (
        claim(BELOW | {"relative": True}),
        "claims[0].test[0].relative",
        "true without minus or since; allowed: beside one of them",
    ),
    (
        claim(BELOW | {"level": "mean_image", "minus": "train_loss"}),
        "claims[0].test[0].level",
        "'mean_image' is an error; allowed beside a loss alone",
    ),
    (
        claim(BELOW | {"rows": ["t9-b256"], "level": "zero"}),
        "claims[0].test[0].rows[0]",
        "'t9-b256' is a classification; allowed beside zero: a reconstruction",
    ),
    (
        claim({"form": "alike", "rows": ["t5-base", "t5-sgd"]} | LOWEST),
        "claims[0].test[0].level",
        "or among: one of the two is needed",
    ),
    (
        claim({"form": "alike", "rows": ["t5-base", "t5-sgd"], "level": "zero"} | LOWEST),
        "claims[0].test[0].level",
        "'zero' is not a number, the width of a range",
    ),
    (
        claim({"form": "ranked", "rows": ["t5-base"]} | LOWEST),
        "claims[0].test[0].rows",
        "['t5-base'] is not a list of two rows or more",
    ),
    (
        claim(CLASSES | {"rows": ["t5-base"]}),
        "claims[0].test[0].rows[0]",
        "'t5-base' is a reconstruction; allowed: a classification",
    ),
    (
        claim(CONFUSIONS | {"rows": ["t5-base"]}),
        "claims[0].test[0].rows[0]",
        "'t5-base' is a reconstruction; allowed: a classification",
    ),
    (
        claim(CONFUSIONS | {"count": 4}),
        "claims[0].test[0].count",
        "4 is more than the pairs of classes inside the sets, 3; allowed: 3 at most",
    ),
    (
        claim(CONFUSIONS | {"sets": [list(CLASS_NAMES)]}),
        "claims[0].test[0].sets",
        "leave no pair of classes outside; allowed: sets that do",
    ),
    (
        claim(WITHIN | {"sets": [["Hat", "Coat"]]}),
        "claims[0].test[0].sets[0][0]",
        "'Hat' is not one of T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker",
    ),
    (
        claim(WITHIN | {"sets": ["Shirt"]}),
        "claims[0].test[0].sets[0]",
        "'Shirt' is not a list",
    ),
    (
        claim({key: CONFUSIONS[key] for key in ("form", "rows", "sets")}),
        "claims[0].test[0].count",
        "is missing; needed here: form, rows, sets, count",
    ),
    (claim(CONFUSIONS), "claims[0].why", "is missing; needed here, beside a threshold: count"),
    (
        claim({"form": "falls", "rows": ["t5-base"], "metric": "epoch", "epochs": [1, 2]}),
        "claims[0].test[0].metric",
        "'epoch' is not a loss or an accuracy, which has a value in every epoch",
    ),
    (claim(BEST, needs=1), "claims[0].needs", "1 of 1 parts; allowed: fewer than there are"),
    (
        claim(BEST | {"metric": ["val_loss", "train_loss"]}, BELOW, needs=1),
        "claims[0].test[0].metric",
        "are several parts; allowed beside needs: one metric",
    ),
    (claim(BEST | {"factor": 0.5}), "claims[0].why", "is missing; needed here, beside a threshold"),
    (claim(BEST, untestable="So."), "claims[0].untestable", "stands beside test; allowed: one of"),
    (drop("claims", 0, "test"), "claims[0].why", "without test; allowed: beside it"),
    # ids
    (append("tables", 0), "tables[5].id", "'table-4' is taken by tables[0].id"),
    (append("figures", 0), "figures[5].id", "'figure-1' is taken by figures[0].id"),
    (put("figures", 0, "id", value="table-4"), "figures[0].id", "'table-4' is taken by tables[0]"),
    (append("claims", 0), "claims[23].id", "'cap-P01' is taken by claims[0].id"),
    (append("assumptions", 0), "assumptions[26].id", "'A1' is taken by assumptions[0].id"),
]


@pytest.mark.parametrize(
    ("change", "key", "said"), REFUSED, ids=[f"{key}: {said[:30]}" for _, key, said in REFUSED]
)
def test_a_mistake_is_named_by_file_key_value_and_what_is_allowed(problems, change, key, said):
    lines = problems(change)
    assert any(line.startswith(f"{key}: ") and said in line for line in lines), lines


def test_one_mistake_gives_one_line(problems):
    assert problems(put("rows", 3, "dropout", value=1.2)) == [
        "rows[3].dropout: 1.2 is not in [0, 1)"
    ]


def test_a_mistake_names_the_line_of_its_key_or_of_what_it_is_missing_from(tmp_path):
    text = FILE.read_text(encoding="utf-8").replace("{id: t5-p04, ", "{id: t5-p04, epochs: 0, ")
    text = re.sub(r"\n    place: .*", "", text, count=1)
    file = tmp_path / "caprari2025.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        papers.load_paper(file)
    lines = text.splitlines()
    row = next(n for n, line in enumerate(lines, 1) if "id: t5-p04," in line)
    claims = next(n for n, line in enumerate(lines, 1) if line == "claims:")
    epochs, place = str(caught.value).splitlines()
    assert epochs == f"{file}:{row}: rows[7].epochs: 0 is not in [1, 10000]"
    assert place.startswith(f"{file}:")
    assert claims < int(place.removeprefix(f"{file}:").split(":")[0]) < len(lines)
    assert ".place: is missing; needed here: id, place, text" in place


def test_all_mistakes_are_said_at_once(problems):
    def change(data):
        data["defaults"]["epochs"] = 0
        data["rows"][2]["dropout"] = 1.2
        data["tables"][0]["lines"][0]["row"] = "nowhere"
        data["tables"][1]["id"] = data["tables"][0]["id"]
        data["figures"][0]["kind"] = "pie"
        data["figures"][1]["rows"] = ["nobody"]

    keys = [line.partition(": ")[0] for line in problems(change)]
    assert sorted(keys) == [
        "defaults.epochs",
        "figures[0].kind",
        "figures[1].rows[0]",
        "rows[2].dropout",
        "tables[0].lines[0].row",
        "tables[1].id",
    ]


def test_a_row_that_is_wrong_does_not_make_what_names_it_wrong(problems):
    keys = [line.partition(": ")[0] for line in problems(put("rows", 3, "epochs", value=0))]
    assert keys == ["rows[3].epochs"]  # rows[12], Tables IV and V and Figure 1 name this row


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put(*CLASSIFIER, "encoder", 0, "kernel", value=40), "Conv(channels=16, kernel=40, stride"),
        (put(*CLASSIFIER, "head", 0, "gives", 0, value=1569), "Flatten() gives (1568,), not (1569"),
    ],
)
def test_layers_that_do_not_fit_are_refused_before_any_training(problems, change, said):
    lines = problems(change)
    places = [f"rows[{index}].parameters" for index in range(12, 19)]  # all classifiers
    assert [line.partition(": ")[0] for line in lines] == places
    assert all(f"}} do not fit: {said}" in line for line in lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "key: a\nrows:\n  - id: b\n    epochs: 3\n    epochs: 4\n",
            "line 5: the key 'epochs' stands twice, first in line 4",
        ),
        ("key: a\nkey: b\n", "line 2: the key 'key' stands twice, first in line 1; allowed: once"),
        ("1: a\n", "line 1: the key '1' is not text; quote it"),
        ("key: [a\nrows: b\n", "not YAML: "),
        ("- a\n- b\n", "['a', 'b'] is not a mapping of keys to values"),
        ("", "null is not a mapping of keys to values"),
        ("key: !!python/object:os.system {}\n", "not YAML: "),
        ("key: !!int three\n", "not YAML: "),
        (b"key: \xff\n", "not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_plain_yaml_mapping_is_refused(tmp_path, text, said):
    file = tmp_path / "caprari2025.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError) as caught:
        papers.load_paper(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert said in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    file = tmp_path / "nobody2020.yaml"
    with pytest.raises(UserError, match=r"nobody2020\.yaml: No such file or directory"):
        papers.load_paper(file)


def test_a_row_that_is_not_there_is_answered_with_those_that_are(paper):
    with pytest.raises(UserError, match="'t5-bse' is no row; did you mean 't5-base'") as caught:
        paper.row("t5-bse")
    assert str(FILE) in str(caught.value)
    assert "t9-n2_128-sgd-m09" in str(caught.value)


# ---- configuration ------------------------------------------------------------------------------


def test_the_configuration_as_it_comes_is_valid_and_its_papers_load(config):
    checked = validate_config(config)
    assert checked.model_dump(mode="json") == config
    assert checked.scales.paper.epochs is None
    loaded = papers.load_papers(checked, ROOT)
    assert [paper.key for paper in loaded] == [*checked.papers]
    assert {file.stem for file in (ROOT / papers.PAPERS_FOLDER).glob("*.yaml")} == {*checked.papers}


@pytest.mark.parametrize(
    ("change", "key", "said"),
    [
        (put("scale", value="big"), "scale", "'big' is not one of paper, smoke"),
        (put("papers", value=[]), "papers", "[] is empty"),
        (put("papers", value={"a": 1}), "papers[0]", "is not the name of a file in"),
        (put("papers", value=["a", "a"]), "papers", "'a' stands twice"),
        (put("seeds", value=[]), "seeds", "[] is empty"),
        (put("seeds", value=[0, 0]), "seeds", "0 stands twice"),
        (put("seeds", value=[-1]), "seeds[0]", "-1 is not in [0, 4294967295]"),
        (put("seeds", value=[0.5]), "seeds[0]", "0.5 is not a whole number in [0,"),
        (put("seeds", value="0,one"), "seeds[1]", "'one' is not a whole number"),
        (put("sedes", value=[0]), "sedes", "did you mean 'seeds'? allowed: papers, seeds, scale"),
        (drop("dataset"), "dataset", "is missing; needed here: papers, seeds"),
        (
            put("dataset", "sources", value=["web"]),
            "dataset.sources[0]",
            "'web' is not one of folder, system, torchvision, debian",
        ),
        (put("dataset", "folder", value=""), "dataset.folder", "'' is not a path, or null"),
        (
            put("scales", "paper", "train_images", value=100),
            "scales.paper.train_images",
            "100 is not 60000",
        ),
        (
            put("scales", "smoke", "train_images", value=2005),
            "scales.smoke.train_images",
            "2005 is not a multiple of 10 in [10, 60000]",
        ),
        (
            put("scales", "smoke", "epochs", value=0),
            "scales.smoke.epochs",
            "0 is not in [1, 10000]",
        ),
        (put("scales", "smoke", "seeds", value=0), "scales.smoke.seeds", "0 is not in [1, ∞)"),
        (
            put("tolerances", "smoke", "loss", value=-0.1),
            "tolerances.smoke.loss",
            "-0.1 is not in [0, ∞)",
        ),
        (drop("tolerances", "paper", "epochs"), "tolerances.paper.epochs", "is missing"),
    ],
)
def test_a_mistake_in_the_configuration_is_named(config, change, key, said):
    change(config)
    with pytest.raises(UserError) as caught:
        validate_config(config)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"config.yaml: {key}: ")
    assert said in line


@pytest.mark.parametrize(
    ("given", "seeds"), [(3, [3]), ("0,1", [0, 1]), (["0", "1"], [0, 1]), ("2", [2])]
)
def test_seeds_and_papers_may_be_as_a_command_line_gives_them(config, given, seeds):
    config["seeds"] = given
    config["papers"] = "caprari2025"
    checked = validate_config(config)
    assert checked.seeds == tuple(seeds)
    assert checked.papers == ("caprari2025",)


def test_a_scale_takes_as_many_of_the_seeds_as_it_says(config):
    config["seeds"] = [5, 3, 8]
    assert validate_config(config).seeds == (5, 3, 8)
    assert validate_config(config | {"scale": "smoke"}).seeds == (5, 3)
    assert validate_config(config | {"scale": "smoke", "seeds": "7"}).seeds == (7,)


def test_a_paper_without_a_file_is_answered_with_those_there_are(config):
    config["papers"] = ["caprari2024", "caprari2025"]
    with pytest.raises(UserError) as caught:
        papers.load_papers(validate_config(config), ROOT)
    assert str(caught.value) == (
        "config.yaml: papers[0]: 'caprari2024' is no paper in workflow/papers; "
        "did you mean 'caprari2025'? allowed: "
        "borgnino2023, caprari2025, magallanes2022, ochotorena2023, palacio2025"
    )


def test_a_row_names_its_file_as_seen_from_the_repository(config, monkeypatch):
    monkeypatch.chdir(ROOT)
    paper, *_ = papers.load_papers(validate_config(config), ROOT)
    assert {row.file for row in paper.rows} == {"workflow/papers/caprari2025.yaml"}


# ---- the schemas and the cost -------------------------------------------------------------------


def closed(schema: object) -> bool:
    """Whether every mapping in a schema says what it takes."""
    if isinstance(schema, list):
        return all(map(closed, schema))
    if not isinstance(schema, dict):
        return True
    open_ended = schema.get("type") == "object" and "additionalProperties" not in schema
    return not open_ended and all(map(closed, schema.values()))


@pytest.mark.parametrize("model", [Config, papers.PaperFile])
def test_a_schema_is_valid_and_refuses_unknown_keys_everywhere(model):
    schema = model.model_json_schema()
    Draft202012Validator.check_schema(schema)
    assert closed(schema)


@pytest.mark.parametrize("name", ["paper", "config", "across"])
def test_the_schemas_for_editors_are_those_of_the_models(name, tmp_path):
    schema.write_schemas(tmp_path)
    kept = ROOT / f"workflow/schemas/{name}.schema.json"
    assert (tmp_path / kept.name).read_bytes() == kept.read_bytes()
    heads = {"paper": FILE, "config": ROOT / "config.yaml", "across": ROOT / "workflow/across.yaml"}
    first = heads[name].read_text(encoding="utf-8").splitlines()[0]
    pointed = first.removeprefix("# yaml-language-server: $schema=")
    assert (heads[name].parent / pointed).resolve() == kept


def test_loading_papers_needs_neither_torch_nor_numpy():
    program = (
        "import sys\n"
        "from refashion.paper import papers\n"
        f"papers.load_paper({str(FILE)!r})\n"
        "print(sorted({'torch', 'numpy', 'pandas'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / "workflow")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
