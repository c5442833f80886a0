"""What the machine gets that `run_on` names. The daemon reads its text and never runs it."""
