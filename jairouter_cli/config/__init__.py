"""Files: what the configuration is, how it is read, and how it is edited. May import `errors` only."""
