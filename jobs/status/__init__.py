"""`candlelake status`: how collectors and tables fare, without Spark."""
