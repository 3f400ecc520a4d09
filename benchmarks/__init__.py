"""What fastnn costs: `python -m benchmarks --help` says what is measured."""
