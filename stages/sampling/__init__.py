"""What the sample stage is made of: pictures of the latent space."""
