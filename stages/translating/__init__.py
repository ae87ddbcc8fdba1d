"""What `translate` does with files of a kind: cut into what a model takes, and joined again of what it makes."""
