"""What writes the serving database: one publication is one transaction."""
