"""`dashboard.settings`, with passwords that cost nothing to hash: there are hundreds of sign-ins, of a quarter second each."""

from dashboard.settings import *  # noqa: F403

PASSWORD_HASHERS = ["tests.passwords.CheapArgon2PasswordHasher"]
