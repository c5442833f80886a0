"""HTTP: the routes of the daemon, who may use them, and what they answer.

The daemon fills `services.Services`, builds the app with `routes.build`, and listens with `serving.Listening`; the control
socket serves the same app. Everything below is reached through `Services`; nothing here decides what heals.
"""
