"""Models as modules of PyTorch, out and in (extra ``torch``)."""
