"""What spark-submit runs: read, transform, gate, write. The only place where these meet."""
