"""Who answers: the local engine, OpenAI-compatible servers, and deterministic mocks."""
