"""The parts of the sample stage: rows, files, sounds, and pictures of the latent space."""
