"""Pruning while training: `lobster.py` has Eq. 16, `masks.py` what stays pruned, `threshold.py` how far to prune."""
