"""From the settings of a run to its trained network. `train.py` has the epochs, `trainer.py` the step; `resume.py` lets a stopped one go on."""
