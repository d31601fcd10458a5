"""`candlelake extract bulk`: a universe's window by one command, exported and recorded."""
