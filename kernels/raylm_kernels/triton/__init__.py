"""The ops in Triton, for NVIDIA GPUs from compute capability 8.0 on, and AMD's where it runs."""
