"""State that several workers share. May import `errors`, `config.model`, `routing` and the standard library."""
