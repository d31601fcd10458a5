"""A generated market as busy as asked for, to put load on what listens; it proves nothing else."""
