"""What is shown of a server: its metrics, from all workers, and the instruments of each."""
