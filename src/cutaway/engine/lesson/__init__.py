"""What the lessons compute: small, exact pieces of a network on numbers that a reader sets. float64 in, float64 out."""
