"""Soaks the live path: everything around collectors and the pipeline fails, and silver is whole."""
