"""`jairouter service`: runs the gateway as a service of the operating system."""
