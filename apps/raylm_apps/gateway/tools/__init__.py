"""What a model may call: tools, their registry, and the loop's view of them."""
