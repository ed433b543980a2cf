"""Pictures and a recipe -> a trained network: augmentation, schedule, the loop, checkpoints, the run folder."""
