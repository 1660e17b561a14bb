"""`jairouter connect`: points other programs at the gateway, in their own configuration files, and back."""
