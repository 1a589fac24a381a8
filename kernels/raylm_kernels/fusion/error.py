"""What is said where a module cannot be fused, or a fused one cannot take a call."""


class FusionError(ValueError):
    """Names the module, the argument or the pattern, and what to do."""
