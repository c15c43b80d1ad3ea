"""Everything measured, as tables: `metrics.py` writes metrics.csv, `measurements.py` reads it back."""
