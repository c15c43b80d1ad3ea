"""One HTML page of all that a run of the workflow has to show. Start with `page.py`."""
