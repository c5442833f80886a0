"""What runs outside the daemon: the shim that every child runs under, and the folder through which both talk.

Standard library only, importing nothing of healer. Callers: the controllers.
"""
