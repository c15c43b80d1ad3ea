"""Everything measured, as tables: `metrics.py` writes metrics.csv, `measurements.py` reads it back.

`statistics.py` has every test over seeds, `resample.py` what the test images leave open, `equal_accuracy.py` transfer
accuracies at equal test accuracy.
"""
