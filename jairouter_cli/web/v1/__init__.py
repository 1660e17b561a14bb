"""The endpoints of the OpenAI API and its kin."""
