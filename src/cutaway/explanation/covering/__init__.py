"""Covering parts of a picture and asking the network again, computing only what the covered part can reach."""
