"""What this is called on the package index, and which version it is."""

DISTRIBUTION = "fastnn-cpu"  # on the index "fastnn" is another project
VERSION = "0.2.0"
