"""`jairouter chat`: a conversation with a model, in the terminal or in a pipe."""
