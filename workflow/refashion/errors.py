"""The one exception for what a user can put right."""


class UserError(Exception):
    """Something a user can mend: bad input, missing data, a file that is not what it should be.

    The message holds one line per problem, each naming the file, the key, the value found and
    what is allowed, so that it can be printed as it is, without a traceback.
    """


class NotTestedError(Exception):
    """What was measured lacks what is asked of it; the message says what."""
