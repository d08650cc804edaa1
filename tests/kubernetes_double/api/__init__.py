"""What clients talk to: HTTPS, authentication, verbs, watches, logs."""
