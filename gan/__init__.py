"""The learning: networks, objectives, conditioning, games, metrics. Pure torch: knows no files, no DVC, no Prefect."""
