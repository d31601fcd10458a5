"""`candlelake extract` and the first step of every run: raw answers land in bronze."""
