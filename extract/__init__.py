"""Exchange to bronze: light clients that land raw answers and do nothing else. No pyspark."""
