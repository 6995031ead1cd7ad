"""History that never happened, for the bench, the demo and screenshots: as much of it as is asked for, and believable.

The same seed, on a database with the same in it and up to the same moment, makes up the same.
"""
