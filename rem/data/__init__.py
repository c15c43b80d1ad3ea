"""Images from anywhere to batches of tensors. A dataset is an entry in `sources.py` and a file in `layouts/`."""
