"""What training is made of, beside the game itself."""
