"""What decoders show of a trained network: one stacked on top, its poses perturbed, and what moves the image."""
