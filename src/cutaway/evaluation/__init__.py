"""Model + Dataset -> Report: what a classifier gets right, with intervals, beside what cheap rivals get right."""
