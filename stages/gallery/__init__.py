"""A static site of a store's releases and channels: what each is, how good, what made it, and how to load it."""
