"""What all stages share: params, errors, files, shards, provenance. Moves bytes, decides nothing."""
