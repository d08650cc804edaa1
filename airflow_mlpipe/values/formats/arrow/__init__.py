"""What tables of three libraries have in common: Arrow, its files, and the ways there and back."""
