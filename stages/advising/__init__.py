"""What `advise` finds out about the data, and about the machine."""
