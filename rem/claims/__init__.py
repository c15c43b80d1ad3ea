"""The paper's claims and what decides them. Start with `paper.py`, the list; `rules.py` says what a verdict takes."""
