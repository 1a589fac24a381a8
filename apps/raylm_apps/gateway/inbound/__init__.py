"""Other programs' ways in: OpenAI's and Anthropic's formats, to any provider."""
