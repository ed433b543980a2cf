"""Model + pictures + a question -> maps of where the answer comes from, with their own proof. One method per file."""
