"""refashion: reruns of papers on Fashion-MNIST autoencoders and classifiers."""

# The modules that decide what a training computes, given its layer table, settings, seed and
# images. An edit of one of them retrains everything; an edit of any other retrains nothing.
TRAINING_MODULES = (
    "kernels",
    "networks",
    "device",
    "splits",
    "evaluation",
    "optimizers",
    "epoch",
    "graphs",
    "job",
    "progress",
    "checkpoint",
    "outcome",
    "loop",
)
