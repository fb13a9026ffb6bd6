"""The one exception that commands turn into a sentence instead of a traceback."""


class UserError(ValueError):
    """A mistake that the user can mend: one sentence with what was wrong, which value, and what would be right."""
