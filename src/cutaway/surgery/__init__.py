"""Change any part of a model and watch what follows: edits are data, applying them gives another Model.

`edit` (what an edit is), `patient` (the copy that is operated on), `apply` (edits -> Model), `history` (undo,
branches); the edits themselves lie in files by what they change.
"""
