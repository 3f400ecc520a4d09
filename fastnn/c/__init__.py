"""Models as C99: a network as two files that any C compiler takes, for microcontrollers and whatever has no Python."""
