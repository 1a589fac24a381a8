"""The local engine as its admins see it: what it has loaded, how fast it is, what it could load."""
