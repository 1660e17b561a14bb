"""What several workers hold in common. May import `errors`, `config.model`, `routing` and the standard library."""
