"""Notices: what somebody should hear of without looking, each said once, by a program of theirs, a webhook or Apprise."""
