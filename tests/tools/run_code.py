"""Runs the code that it is given: mpiexec takes a script."""

import sys

exec(sys.argv[1])
