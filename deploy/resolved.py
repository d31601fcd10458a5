"""What the resolver of fetch_jars.py submits: by the time it runs, Spark has fetched the jars."""
