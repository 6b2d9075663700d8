"""Small repositories of our own, into which bugs are put: read as text, never imported.

A folder is a repository, NAME.py a module of it, NAME.cases its data-driven tests, one a line:
`merge([[1, 3], [2, 6]]) == [[1, 6]]`, or `... == raises(ValueError)`.
"""
