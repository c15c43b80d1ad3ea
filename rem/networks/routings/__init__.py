"""The routings, a file each: from primary capsules to lengths, poses and couplings.

A file has `parameters`, what the routing trains, `route`, and both as its `ROUTING` (`rem.networks.network.Routing`). A
new one is a file here and an entry in `rem/networks/build.py`.
"""
