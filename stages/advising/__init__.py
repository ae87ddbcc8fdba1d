"""What `advise` knows of the data, and of the machine."""
