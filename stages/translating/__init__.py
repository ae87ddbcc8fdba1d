"""How `translate` handles files of each kind: cut into a model's inputs, and joined again from its outputs."""
