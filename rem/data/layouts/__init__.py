"""A file a format: how its images and labels are read. `folder.py` is for images of your own."""
