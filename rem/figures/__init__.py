"""What is drawn: a module a figure, each with its CAPTION and `draw`. `style.py` is the look that they share."""
