"""One file a family of types; each imports its library inside its methods."""
