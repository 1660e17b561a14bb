"""What several surfaces show, as plain data."""
