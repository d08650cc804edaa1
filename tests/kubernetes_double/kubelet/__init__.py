"""What makes pods real: containers, volumes, probes, and the status that tells of them."""
