"""Two lakes held side by side: whether they hold the same rows."""
