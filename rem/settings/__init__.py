"""Typed settings: `run.py` has those of one network, `config.py` a whole config file. Each key says what it means."""
