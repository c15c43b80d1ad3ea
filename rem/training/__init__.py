"""From the settings of a run to its trained network. Start with `train.py`; `resume.py` lets a stopped one go on."""
