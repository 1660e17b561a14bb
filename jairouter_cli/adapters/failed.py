"""What a translation raises when a backend's answer cannot be translated. It is in no compiled module."""


class BackendFailed(Exception):
    """The backend's answer is cut off, is an error, or is none of a chat; its text is for the log."""
