"""Telling people: what the audit says becomes messages to receivers, each by its channel, with retries and in place.

`delivering` is the worker, `routing` says who hears what, `making` what a message says now, `channels` are the plugins that deliver.
Nothing is imported here: whoever reads a project imports a channel, and needs no worker. Callers: the daemon, `harness`.
"""
