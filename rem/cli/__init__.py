"""The command line: a file a topic, each command's arguments beside the one call it makes. Start with `command.py`."""
