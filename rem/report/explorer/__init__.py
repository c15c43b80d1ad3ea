"""The explorer: one HTML page in which the parse trees of a run can be browsed.

Start with `page.py`. `collect` gathers what the page shows, while `blocks` has room: `datasets` the images, `codes`
the couplings, such that every K gives the keys of the files, `shared` which images share a tree, `measured` the numbers
of the run's tables, and `votes` what the page needs to route a few images anew. The page itself is `explorer.html.j2`,
`*.css` and `*.js`, of which `main.js` ties the others together.
"""
