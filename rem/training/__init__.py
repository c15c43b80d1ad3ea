"""From the settings of a run to its trained network.

`train.py` has the epochs, `trainer.py` the step between two, and `resume.py` lets a stopped training go on.
`accuracies.py` tells how accurate the networks of kept epochs are.
"""
