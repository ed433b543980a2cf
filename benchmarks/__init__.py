"""Cutaway measured beside its peers; `python -m benchmarks` lists what there is, README.md says how to read it."""
