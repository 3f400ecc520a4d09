"""Files: how they are written, a name a format."""
