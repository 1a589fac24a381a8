"""What users upload: told apart by its bytes, kept as objects, read for models."""
