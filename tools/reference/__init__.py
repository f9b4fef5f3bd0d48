"""The pages of docs/reference that are made of docstrings and classes: `python -m tools.reference` writes them."""
