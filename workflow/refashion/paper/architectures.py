"""The architectures of a paper's file: a layer a line, as its tables print them.

A row fills in the parameters of the one that it names, and its dropout for ``p``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import cached_property
from typing import Annotated, Any, Literal, Union, cast, get_type_hints

from pydantic import Field, create_model

from refashion.paper import layers
from refashion.paper.layers import Layer, Network, Size
from refashion.paper.problems import Misfits, show, unknown
from refashion.paper.record import Distinct, Many, Record, Text, allowed

DROPOUT = "p"
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Value = int | str | None
Values = Mapping[str, Value | float]


class Choice(Record):
    """A parameter that is one of some words; rows leave out its default."""

    one_of: Annotated[Distinct[Text], Field(min_length=2)]
    default: Text | None = None


Parameter = Annotated[
    Literal["size", "size or null"] | Choice,
    allowed("size, size or null, or {one_of: [words], default: one of them, if there is one}"),
]
Condition = Annotated[dict[str, Value], allowed("parameters, each with the value that it is about")]


class Line(Record):
    """A layer of the file, which rows with some values of parameters may leave out."""

    when: Condition = Field(default_factory=dict)
    """It stands only where a parameter has one of these values."""
    unless: Condition = Field(default_factory=dict)
    """It does not stand where a parameter has one of these values."""
    gives: Annotated[
        Many[Size | Name],
        Field(min_length=1, max_length=3),
        allowed("a shape: [channels, height, width] or [features]"),
    ] = ()
    """Its output's shape."""
    layer: str

    def stands(self, values: Values) -> bool:
        """Whether rows with these values of parameters have this layer."""
        needed = all(values[name] == value for name, value in self.when.items())
        return needed and all(values[name] != value for name, value in self.unless.items())

    def build(self, values: Values) -> Layer:
        """The layer for these values of the parameters, and of the dropout."""
        settings = self.settings.items()
        return KINDS[self.layer](**{key: _filled(said, values) for key, said in settings})

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What it says of the layer itself."""
        return {key: value for key, value in self.given().items() if key not in Line.model_fields}

    @property
    def named(self) -> dict[str, str]:
        """The parameters that stand in place of numbers, by the keys."""
        places = self.settings | {f"gives[{index}]": size for index, size in enumerate(self.gives)}
        return {key: name for key, name in places.items() if isinstance(name, str)}


def _filled(said: Any, values: Values) -> Any:
    """A setting, or what stands in its place where it is a parameter's name."""
    return values[said] if isinstance(said, str) else said


# By their names in a file.
KINDS: dict[str, Callable[..., Layer]] = {
    "conv": layers.Conv,
    "conv_transpose": layers.ConvTranspose,
    "max_pool": layers.MaxPool,
    "flatten": layers.Flatten,
    "unflatten": layers.Unflatten,
    "linear": layers.Linear,
    "sigmoid": layers.Sigmoid,
    "leaky_relu": layers.LeakyReLU,
}


def _written(name: str, kind: Any) -> type[Line]:
    """The form of a layer in a file: its fields, in which numbers may be parameters' names."""
    hints = get_type_hints(kind, include_extras=True)
    forms: dict[str, Any] = {"layer": (Literal[name], ...)}
    for field in fields(kind):
        default = ... if field.default is MISSING else field.default
        form = hints[field.name]
        if form is not bool:
            form = Annotated[form | Name, allowed(_allowed(form))]
        forms[field.name] = form, default
    # There is no source to look for docstrings in, which takes a while.
    quick = {"use_attribute_docstrings": False}
    name = f"{kind.__name__}Line"
    return create_model(name, __base__=Line, __cls_kwargs__=quick, __doc__=kind.__doc__, **forms)


def _allowed(form: Any) -> str:
    rates = form == layers.Rate
    return f"a rate in [0, 1), or {DROPOUT}" if rates else "a whole number, or a parameter's name"


AnyLine: Any = Union[tuple(_written(name, kind) for name, kind in KINDS.items())]  # noqa: UP007
Lines = Annotated[Many[Annotated[AnyLine, Field(discriminator="layer")]], Field(min_length=1)]


class Architecture(Record):
    """An encoder and the decoder or classifier's head on it, for a row's parameters."""

    parameters: dict[str, Parameter] = Field(default_factory=dict)
    encoder: Lines
    head: Lines

    @property
    def lines(self) -> dict[str, Line]:
        """All layers, by their places."""
        return {
            f"{part}[{index}]": cast("Line", line)
            for part in ("encoder", "head")
            for index, line in enumerate(getattr(self, part))
        }

    @cached_property
    def has_dropout(self) -> bool:
        return any(DROPOUT in line.named.values() for line in self.lines.values())

    @property
    def _defaults(self) -> dict[str, str]:
        return {
            name: kind.default
            for name, kind in self.parameters.items()
            if isinstance(kind, Choice) and kind.default is not None
        }

    def misfits(self, name: str, given: Mapping[str, Value]) -> Misfits:
        """(key, what is wrong) of a row's parameters of the architecture of this name."""
        defaults = self._defaults
        for key, value in given.items():
            if key in defaults and value == defaults[key]:
                # One way of writing each training: its hash decides what is trained again.
                yield key, f"{show(value)} is the default; allowed: leave it out"
            else:
                yield from self._unfit(key, key, value, f"parameter of {name}")
        wanted = [key for key in self.parameters if key not in defaults]
        for key in wanted:
            if key not in given:
                yield key, f"is missing; {name} takes {', '.join(wanted)}"

    def build(self, given: Mapping[str, Value], dropout: float) -> Network:
        """The network of a row.

        Raises:
            ShapeError: the layers do not fit one another, or not the shapes that stand beside them.
        """
        values: Values = {**self._defaults, **given, DROPOUT: dropout}
        encoder, head = (
            [line for line in part if line.stands(values)] for part in (self.encoder, self.head)
        )
        network = Network(*(tuple(line.build(values) for line in part) for part in (encoder, head)))
        for line, shape in zip([*encoder, *head], network.shapes(), strict=True):
            said = tuple(_filled(size, values) for size in line.gives)
            if said and said != shape:
                raise layers.ShapeError(f"{line.build(values)} gives {shape}, not {said}")
        return network

    def mistakes(self) -> Misfits:
        """(place, what is wrong) of parameters that its layers name."""
        sizes = [name for name, kind in self.parameters.items() if not isinstance(kind, Choice)]
        used: set[str] = set()
        for place, line in self.lines.items():
            used |= {*line.named.values(), *line.when, *line.unless}
            for key, name in line.named.items():
                known = [DROPOUT] if key == "dropout" else sizes
                if name not in known:
                    yield f"{place}.{key}", unknown(name, known, "number here")
            for key, condition in (("when", line.when), ("unless", line.unless)):
                for name, value in condition.items():
                    at = f"{place}.{key}.{name}"
                    yield from self._unfit(at, name, value, "parameter of this architecture")
        for name in self.parameters:
            if name == DROPOUT:
                yield f"parameters.{name}", "is a row's dropout; allowed: another name"
            elif name not in used:
                yield f"parameters.{name}", "does nothing; allowed: one that a layer names"

    def _unfit(self, at: str, name: str, value: Value, what: str) -> Misfits:
        """(``at``, why) if there is no parameter of this name, or it cannot have this value."""
        kind = self.parameters.get(name)
        if kind is None:
            yield at, unknown(name, self.parameters, what)
        elif isinstance(kind, Choice):
            if value not in kind.one_of:
                yield at, unknown(value, kind.one_of, "choice here")
        elif not (isinstance(value, int) or (value is None and kind == "size or null")):
            or_null = " or null" if kind == "size or null" else ""
            yield at, f"{show(value)} is not a whole number in [1, ∞){or_null}"
