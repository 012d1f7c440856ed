"""refashion: reruns of papers on Fashion-MNIST autoencoders and classifiers."""
