"""Blocks of ids in which REST and the archive say the same: settled before rows are parsed."""
