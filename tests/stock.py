"""Layer tables in torch's own layers."""

from refashion.paper import layers
from torch import nn


def stock_layers(network: layers.Network) -> nn.Sequential:
    """A layer table in torch's own layers, as one writes them in a notebook."""
    modules: list[nn.Module] = []
    shapes = (layers.IMAGE, *network.shapes())
    for row, shape in zip(network.layers, shapes, strict=False):
        match row:
            case layers.Conv(channels, kernel, stride, padding):
                modules.append(nn.Conv2d(shape[0], channels, kernel, stride, padding))
            case layers.ConvTranspose(channels, kernel, stride, padding, extra):
                modules.append(
                    nn.ConvTranspose2d(shape[0], channels, kernel, stride, padding, extra)
                )
            case layers.Linear(features):
                modules.append(nn.Linear(shape[0], features))
            case layers.MaxPool(size, ceil_mode):
                modules.append(nn.MaxPool2d(size, ceil_mode=ceil_mode))
            case layers.Flatten():
                modules.append(nn.Flatten())
            case layers.Unflatten(channels, height, width):
                modules.append(nn.Unflatten(1, (channels, height, width)))
            case layers.Sigmoid():
                modules.append(nn.Sigmoid())
            case layers.LeakyReLU(slope):
                modules.append(nn.LeakyReLU(slope))
        if getattr(row, "relu", False):
            modules += [nn.ReLU(), nn.Dropout(row.dropout)]
    return nn.Sequential(*modules)
