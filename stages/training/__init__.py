"""The parts of the stage train, beside the game itself."""
