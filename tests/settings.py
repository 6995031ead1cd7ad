"""`dashboard.settings`, with passwords that cost nothing to hash: of hundreds of sign-ins each would take a while."""

from dashboard.settings import *  # noqa: F403

PASSWORD_HASHERS = ["tests.passwords.CheapArgon2PasswordHasher"]
PUSH_SERVICES_ON_THIS_MACHINE = True
