"""When and where stages run: Prefect around DVC's own graph. Nothing here lists the stages; dvc.yaml does."""
