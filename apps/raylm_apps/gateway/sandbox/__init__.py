"""A frame of an opaque origin, and in it a worker that runs Python."""
