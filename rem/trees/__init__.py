"""From couplings to what they are worth.

In the order in which they run: `couplings.py` extracts them, `levels.py` chooses K, `quantizer.py` (Eq. 7) makes keys
of them, `dictionaries.py` collects the keys of a class, `entropy.py` (Eq. 8 and 9) measures them. `sweep.py` does so at
every K, `trajectory.py` after every epoch.
"""
