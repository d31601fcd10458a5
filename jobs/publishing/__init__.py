"""From the lake to the serving database: what is read for a publication, part by part."""
