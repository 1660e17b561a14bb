"""Processes and signals: the server, its workers and their end. All that relies on Granian's private parts is here."""
