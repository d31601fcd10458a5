"""Keeps tables quick to read: few files, in order, and no more of the past than is needed."""
