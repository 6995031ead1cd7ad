class CantMove(Exception):
    """Why nothing is moved, in one line for the operator that says what to do."""
