"""The replay exchange: the exchanges' own protocol over real recordings, on loopback."""
