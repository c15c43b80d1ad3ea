"""The explorer: one HTML page in which the parse trees of a run can be browsed.

Start with `page.py`. `codes` packs couplings so that every K gives the keys of the files, `collect` gathers what the
page shows, `votes` what it needs to route a few images anew. The page itself is `explorer.html.j2`, `style.css` and
`*.js`.
"""
