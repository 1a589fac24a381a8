"""Training and alignment runs, read from their directories: no torch, no Ray, nothing written."""
