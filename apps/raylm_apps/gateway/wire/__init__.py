"""The shapes of requests and answers, a noun a file, in the wire's camelCase."""
