"""What select is made of: measuring, the rule, the model card."""
