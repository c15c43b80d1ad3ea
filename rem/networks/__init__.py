"""The networks: `routing.py` has Eq. 1 to 5, `capsnet.py` the layers around it, `build.py` makes one from settings."""
