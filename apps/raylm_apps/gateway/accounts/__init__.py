"""Who people are: sessions, passwords, providers' sign-in, API keys."""
