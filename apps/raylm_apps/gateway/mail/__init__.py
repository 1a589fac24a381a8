"""What the gateway writes to people, and the server that takes it."""
