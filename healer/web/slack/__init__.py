"""What people do in Slack: clicks on messages, forms, and `/heal`. By Socket Mode or as signed requests, it comes to the same functions.

`desk.Desk` is the whole of it: the daemon makes one, starts and stops it. Messages themselves are sent by the channel
(`healer.notify.channels.slack`).
"""
