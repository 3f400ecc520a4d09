"""Models as files of Keras 3, out and in, by h5py alone (extra ``keras``): Keras itself is not needed."""
