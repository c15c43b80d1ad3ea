"""The paper's claims, and what was found about them here.

`paper.py` lists the claims. `evidence.py` and `otherwise.py` have a function for each, from results to findings.
`findings.py` is what a finding and a verdict are, `rules.py` what a verdict takes. `write.py` writes claims.csv and
claims.md and reads them.
"""
