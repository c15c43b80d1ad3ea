"""Files that can be trusted: whole, unchanged, and known where they come from.

`atomic.py` lets a file appear under its name only when it is whole, since any process may be killed at any time.
`hdf5.py` seals what it writes with a digest, for HDF5 itself reads damaged data without a word. `notes.py` and
`trace.py` leave a record beside every file: what command made it of what. `code.py` says which modules make what.
"""
